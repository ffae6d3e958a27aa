// The log of changes: who did what, with the names that a person knows instead of ids.

import { call } from "./api.js";
import { t } from "./audit-log-words.js";
import { button, h } from "./dom.js";
import { empty } from "./overlays.js";
import { codeInWords } from "./problem-words.js";
import { table } from "./table.js";
import { ago } from "./times.js";

/** Number of entries that are read at a time. */
const ENTRIES = 20;

/** Lists of objects whose ids the log has: the path, the field of the answer, and the kind of the object in an action. */
const NAMED = [
  ["/keys", "keys", "key"],
  ["/programs", "programs", "program"],
  ["/webhooks", "webhooks", "webhook"],
  ["/receivers", "receivers", "receiver"],
  ["/incoming-file-rules", "rules", "incoming_file_rule"],
];

/** Actors that are no object of the gateway, each with the key of its words. */
const ACTORS = { console: "byConsole", "owner on the phone": "byPhone" };

/** Make the log; `refresh()` reads its newest entries. */
export function auditLog(frame) {
  const names = new Map(); // by the kind and id of an object
  const list = table({
    label: t("audit"),
    columns: [
      { title: t("time"), cell: (entry) => ago(entry.time), kind: "is-narrow" },
      { title: t("actor"), cell: ({ actor }) => nameOfActor(actor) },
      { title: t("action"), cell: whatWasDone },
      { title: t("target"), cell: target },
    ],
    key: (entry) => entry.number,
    none: () => empty("clock", t("noAudit")),
  });
  const more = button(t("more"), () => frame.act(readMore, { by: more }), { kind: "is-quiet" });
  const element = h("section", {}, h("h3", { class: "part-title" }, t("audit")), list.element, more);
  let shown = [];

  function nameOfActor(actor) {
    if (actor in ACTORS) return t(ACTORS[actor]);
    return names.get(`key/${actor}`) ?? names.get(actor.replace("program ", "program/")) ?? actor;
  }

  function whatWasDone({ action }) {
    const words = actionInWords(action);
    return [words, words !== action && h("div", { class: "hint" }, action)];
  }

  function target({ action, target: id, detail }) {
    const words = action.startsWith("mcp.") ? (found(`mcp_${detail}`) ?? codeInWords(detail)) : detail;
    return [names.get(`${action.split(".")[0]}/${id}`) ?? id, detail && h("div", { class: "hint" }, words)];
  }

  async function readNames() {
    await Promise.all(
      NAMED.map(async ([path, list, kind]) => {
        for (const { id, name } of (await call("GET", path))[list]) names.set(`${kind}/${id}`, name);
      }),
    );
  }

  async function read(query) {
    const [{ entries }] = await Promise.all([
      call("GET", `/audit?${new URLSearchParams({ limit: ENTRIES, ...query })}`),
      readNames(),
    ]);
    return entries;
  }

  function show(entries, read) {
    shown = entries;
    list.show(shown);
    more.hidden = read.length < ENTRIES;
  }

  async function readMore() {
    const entries = await read({ before: shown.at(-1).number });
    show([...shown, ...entries], entries);
  }

  async function refresh() {
    const entries = await read({});
    show(entries, entries);
  }

  return { element, refresh };
}

/** Return what was done in words; the name of the action for one without words, such as that of an adapter. */
function actionInWords(action) {
  const [noun, verb] = action.split(".");
  const what = found(`what_${noun}`);
  const tool = noun === "mcp" && found(`mcp_${verb}`);
  if (tool) return t("does_mcp", { what: tool });
  return found(`does_${action}`) ?? (what && found(`done_${verb}`, { what })) ?? action;
}

/** Return the words of a key; null if there are none. */
function found(key, values) {
  const words = t(key, values);
  return words === key ? null : words;
}
