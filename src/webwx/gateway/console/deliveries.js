// The requests to one webhook and their outcomes, with a button that sends an event again.

import { call } from "./api.js";
import { button, h } from "./dom.js";
import { t } from "./deliveries-words.js";
import { typeWithName } from "./event-type-words.js";
import { field, formPanel, textInput } from "./forms.js";
import { empty } from "./overlays.js";
import { explainedText } from "./states.js";
import { table } from "./table.js";
import { ago } from "./times.js";

/** Number of deliveries that are read at a time. */
const PAGE = 25;

/** Make the list for the webhook at a path of the API. Returns {element, refresh()}. */
export function deliveries(frame, path) {
  const list = table({
    label: t("deliveries"),
    columns: [
      { title: t("time"), cell: (made) => ago(made.time), kind: "is-narrow" },
      { title: t("event"), cell: eventOf },
      { title: t("attempt"), cell: (made) => String(made.attempt), kind: "is-narrow" },
      { title: t("outcome"), cell: outcome },
      { title: t("duration"), cell: (made) => t("ms", { n: made.milliseconds }), kind: "is-narrow" },
      { title: t("actions"), cell: (made) => made.account > 0 && replayOf(made), kind: "is-narrow" },
    ],
    key: (made) => made.number,
    none: () => empty("send", t("noDeliveries"), t("noDeliveriesHint")),
  });
  const more = button(t("more"), () => frame.act(readMore, { by: more }), { kind: "is-quiet" });
  const period = button(t("replayPeriod"), openPeriod, { picture: "retry" });
  const element = h(
    "section",
    {},
    h("div", { class: "line part-head" }, h("h3", {}, t("deliveries")), period),
    list.element,
    more,
  );
  let shown = [];

  function eventOf(made) {
    const origin = made.origin === "journal" ? null : h("span", { class: "tag" }, t(`origin_${made.origin}`));
    return [typeWithName(made.type), " ", origin, h("div", { class: "hint" }, made.event)];
  }

  function replayOf(made) {
    const replay = button(t("replay"), () => frame.act(() => sendAgain({ ids: [made.event] }), { by: replay }), {
      kind: "is-small",
      picture: "retry",
      "aria-label": `${t("replay")}: ${made.event}`,
    });
    return replay;
  }

  async function sendAgain(which) {
    const { events } = await call("POST", `${path}/replay`, which);
    frame.notify(t("replayed", { n: events }));
    await refresh();
  }

  function openPeriod() {
    const from = textInput(local(Date.now() - 3_600_000), { type: "datetime-local", required: true, autofocus: true });
    const to = textInput("", { type: "datetime-local" });
    const fields = [field(t("from"), from, null, "from"), field(t("to"), to, t("toHint"), "to")];
    const submit = () =>
      sendAgain({
        from: new Date(from.value).toISOString(),
        to: to.value ? new Date(to.value).toISOString() : null,
      });
    formPanel(frame, t("replayPeriod"), t("replay"), { fields }, submit, () => {});
  }

  function show(all, next) {
    shown = all;
    list.show(shown);
    more.hidden = next === null;
  }

  async function read(query) {
    return call("GET", `${path}/deliveries?${new URLSearchParams({ limit: PAGE, ...query })}`);
  }

  async function readMore() {
    const { deliveries: found, next } = await read({ before: shown.at(-1).number });
    show([...shown, ...found], next);
  }

  async function refresh() {
    const { deliveries: found, next } = await read({});
    show(found, next);
  }

  return { element, refresh };
}

function outcome(made) {
  return [
    h("span", { class: `pill ${made.delivered ? "is-good" : "is-bad"}` }, made.status ?? t("noAnswer")),
    made.error && h("p", { class: "hint" }, explainedText(made.error, made.error_code)),
    Date.parse(made.next_attempt_at) > Date.now() && h("p", { class: "hint" }, t("nextAttempt"), " ", ago(made.next_attempt_at)),
    made.answer && h("details", {}, h("summary", {}, t("answer")), h("pre", {}, made.answer)),
  ];
}

/** Return a time in the format of an input of the type `datetime-local`. */
function local(milliseconds) {
  const offset = new Date(milliseconds).getTimezoneOffset() * 60_000;
  return new Date(milliseconds - offset).toISOString().slice(0, 16);
}
