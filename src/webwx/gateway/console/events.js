// The screen of the live events: a bounded list with filters, and the JSON of one event.

import { accountName, listAccounts } from "./account-list.js";
import { copyable } from "./copyable.js";
import { button, fill, h, icon, set, soon } from "./dom.js";
import { covers } from "./event-patterns.js";
import { typeName, typeWithName } from "./event-type-words.js";
import { t } from "./events-words.js";
import { timeOfDay } from "./formats.js";
import { live } from "./live.js";
import { inWords } from "./message-content.js";
import { dialog, empty } from "./overlays.js";
import { MOST, recordedEvents } from "./recorded-events.js";
import { Rows } from "./rows.js";
import { load } from "./states.js";

export const events = { name: "events", picture: "wire", title: () => t("events"), open };

const FIELDS = ["account", "type", "chat"];

function open(frame) {
  let accounts = [];
  let frozen = null; // what is shown while the list is paused
  let isOpen = true;

  const fields = {
    account: h("select", { class: "input", "aria-label": t("account"), on: { change: draw } }),
    type: textField("type"),
    chat: textField("chat"),
  };
  const pause = button("", switchPause, {});
  const clear = button(t("clear"), () => {
    frozen = null;
    recordedEvents.clear();
  });
  const count = h("span", { class: "faint", role: "status" });
  const lost = h("p", { class: "alert", role: "alert", hidden: true }, t("lostNow"));
  const rows = new Rows({
    label: t("events"),
    height: 56,
    key: (row) => row.key,
    render,
    choose: (row) => row.event && showJson(row),
    name: (row) => row.type,
  });
  const holder = h("div", { class: "event-list" });

  function textField(name) {
    return h("input", {
      class: "input",
      type: "search",
      autocomplete: "off",
      "aria-label": t(name),
      placeholder: t(`${name}Hint`),
      on: { input: draw },
    });
  }

  async function begin() {
    accounts = await listAccounts();
    if (!isOpen) return;
    fill(
      fields.account,
      h("option", { value: "" }, t("allAccounts")),
      accounts.map((account) => h("option", { value: account.number }, accountName(account))),
    );
    fill(
      frame.body,
      lost,
      h("p", { class: "hint" }, t("hint", { n: MOST })),
      h("div", { class: "line" }, FIELDS.map((name) => fields[name]), pause, clear, count),
      holder,
    );
    draw();
  }

  // -- the list ------------------------------------------------------------------------------------------------------

  function draw() {
    lost.hidden = live.state !== "lost";
    const all = frozen ?? recordedEvents.all;
    const shown = all.filter(isWanted);
    fill(pause, icon(frozen ? "play" : "pause"), t(frozen ? "goOn" : "pause"));
    set(pause, "aria-pressed", String(frozen !== null));
    fill(count, frozen ? t("paused", { n: newOnes() }) : t("count", { n: shown.length }));
    if (shown.length === 0) {
      fill(holder, all.length ? empty("search", t("noneFits"), "") : empty("wire", t("none"), t("noneHint")));
      return;
    }
    if (rows.element.parentNode !== holder) fill(holder, rows.element);
    rows.show(shown);
  }

  function newOnes() {
    const newest = frozen[0]?.key ?? 0;
    return recordedEvents.all.filter(({ key }) => key > newest).length;
  }

  function switchPause() {
    frozen = frozen ? null : recordedEvents.all;
    draw();
  }

  function isWanted({ type, account, event }) {
    if (!event) return true; // a gap passes every filter
    const wanted = fields.account.value;
    if (wanted && String(account) !== wanted) return false;
    if (!isOfType(type, fields.type.value.trim())) return false;
    const part = fields.chat.value.trim().toLowerCase();
    const names = [event.chat, event.chat_name, event.sender, event.sender_name];
    return !part || names.some((name) => name?.toLowerCase().includes(part));
  }

  function render(row, node) {
    const account = accounts.find(({ number }) => number === row.account);
    const words = wordsOf(row);
    const who = [account && accountName(account), row.event?.chat_name].filter(Boolean).join(" · ");
    const time = timeOfDay(Date.parse(row.time) / 1000, true);
    const type = row.event ? typeWithName(row.type) : t("resetType");
    fill(
      node,
      h(
        "span",
        { class: "row-text" },
        h(
          "span",
          { class: "row-top" },
          h("span", { class: row.event ? "row-name" : "row-name is-bad" }, type),
          h("time", { class: "row-time", datetime: row.time }, time),
        ),
        h("span", { class: "row-bottom" }, h("span", { class: "row-line", dir: "auto" }, [who, words].filter(Boolean).join(": "))),
      ),
    );
  }

  function wordsOf({ type, event }) {
    if (!event) return t("reset");
    if (type === "account.state") return t(event.state);
    return inWords(event, event.sender_name);
  }

  function showJson({ type, event }) {
    const text = copyable("JSON", JSON.stringify(event, null, 2));
    dialog(t("oneEvent", { type: typeName(type) }), () => h("div", { class: "panel-fields" }, text), { kind: "is-side" });
  }

  const drawSoon = soon(() => isOpen && draw());
  recordedEvents.addEventListener("changed", drawSoon);
  const end = live.on("state", drawSoon);
  frame.act(() => load(frame, frame.body, begin), { isOfUser: false });
  return {
    leave() {
      isOpen = false;
      recordedEvents.removeEventListener("changed", drawSoon);
      end();
    },
  };
}

/** Whether a type matches a pattern, or has a part of its name or of itself. */
function isOfType(type, wanted) {
  if (wanted.includes("*")) return covers(wanted, type);
  return type.includes(wanted) || typeName(type).toLowerCase().includes(wanted.toLowerCase());
}
