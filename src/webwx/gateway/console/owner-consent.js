// The sends of programs that wait for the owner, with buttons that answer; the phone answers them as well.

import { call } from "./api.js";
import { button, h } from "./dom.js";
import { timeOfDay } from "./formats.js";
import { arrange, KeyedList } from "./keyed-list.js";
import { live } from "./live.js";
import { t } from "./programs-words.js";
import { answersInOrder, explainedText } from "./states.js";

/** Milliseconds during which changes are collected before the sends are read again. */
const AT_ONCE = 500;

/**
 * Milliseconds from the end of the owner's time until the sends are read again, and again while the gateway has not ended
 * the wait: its clock may differ, and it waits a minute for an answer that is on its way.
 */
const ENDED = 5_000;

/** Whether a program asks the owner, here and on the phone, before it sends to other people. */
export function asksOwner({ options }) {
  return options.confirm === "phone";
}

/** Return the sends of a program that wait now. */
export async function sendsThatWait(program) {
  return (await readSends(program)).filter(({ state }) => state === "waiting");
}

async function readSends({ id }) {
  const { confirmations } = await call("GET", `/programs/${encodeURIComponent(id)}/confirmations`);
  return confirmations;
}

/**
 * Make the list of what waits, and of what was accepted and could not be made. Returns {element, show(program), leave()}: `show` reads it for a program, from then on again
 * after each question and answer, which are messages to File Transfer Helper. `answered()` is called after an answer here.
 */
export function waitingSends(frame, answered) {
  const rows = h("div", { class: "parts" });
  const nodes = new KeyedList(rows);
  const failures = h("div", { class: "parts" });
  const failed = new KeyedList(failures);
  const nothing = h("p", { class: "hint" }, t("nothingWaits"));
  const again = button(t("refresh"), () => frame.act(refresh, { by: again }), { kind: "is-small", picture: "retry" });
  const element = h(
    "section",
    { "aria-label": t("waiting") },
    h("div", { class: "line part-head" }, h("h3", {}, t("waiting")), again),
    rows,
    failures,
  );
  const reading = answersInOrder();
  let program = null;
  let timer = 0;
  let ending = 0;
  let isOpen = true;

  async function refresh() {
    const isNews = reading();
    const all = await readSends(program);
    if (!isNews()) return;
    const waiting = all.filter(({ state }) => state === "waiting");
    const notMade = all.filter(({ state }) => state === "failed");
    refreshAtEnd(waiting);
    nodes.show(waiting.map((each) => nodes.node(each.code, null, () => question(each))));
    if (waiting.length === 0) arrange(rows, [nothing]);
    failed.show(notMade.map((each) => failed.node(`${each.created_at} ${each.code}`, null, () => failure(each))));
  }

  async function show(shown) {
    program = shown;
    if (asksOwner(program)) await refresh();
  }

  /** Read the sends again when the time of one of them is over, which is no event. */
  function refreshAtEnd(waiting) {
    clearTimeout(ending);
    if (!isOpen || waiting.length === 0) return;
    const left = Math.min(...waiting.map((each) => new Date(each.expires_at))) - Date.now();
    const read = async () => {
      await refresh();
      answered();
    };
    ending = setTimeout(() => frame.act(read, { isOfUser: false }), Math.max(left, 0) + ENDED);
  }

  function refreshSoon() {
    clearTimeout(timer);
    if (program && asksOwner(program)) timer = setTimeout(() => frame.act(refresh, { isOfUser: false }), AT_ONCE);
  }

  function question(each) {
    const route = `/programs/${encodeURIComponent(program.id)}/confirmations/${each.code}`;
    const answer = (accept) =>
      frame.act(async () => {
        try {
          await call("POST", route, { accept });
        } finally {
          await refresh();
          answered();
        }
      });
    return h(
      "section",
      { class: "card" },
      h("p", {}, recipient(each)),
      each.file && h("p", {}, each.file),
      each.text && h("blockquote", {}, each.text),
      h("p", { class: "hint" }, t("until", { time: timeOfDay(Date.parse(each.expires_at) / 1000) })),
      h(
        "div",
        { class: "buttons" },
        button(t("accept"), () => answer(true), { kind: "is-main" }),
        button(t("refuse"), () => answer(false)),
      ),
    );
  }

  function failure(each) {
    return h(
      "section",
      { class: "card" },
      h("p", {}, recipient(each)),
      h("p", { class: "hint" }, t("notMade"), " ", explainedText(each.error, each.error_code)),
    );
  }

  const ends = ["event", "send.changed", "open"].map((kind) => live.on(kind, refreshSoon));

  function leave() {
    isOpen = false;
    clearTimeout(timer);
    clearTimeout(ending);
    for (const end of ends) end();
  }

  return { element, show, leave };
}

function recipient({ is_group: isGroup, name, to }) {
  return t(isGroup ? "toGroup" : "toPerson", { name, number: String(to) });
}
