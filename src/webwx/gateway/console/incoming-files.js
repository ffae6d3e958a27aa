// The screen of the incoming files: rules that save them to a folder, and the outcomes for the latest files.

import { call } from "./api.js";
import { deleteButton } from "./confirm.js";
import { copyable } from "./copyable.js";
import { deadLetters } from "./dead-letters.js";
import { button, fill, h, keepFocus } from "./dom.js";
import { bytes } from "./formats.js";
import { openRuleForm } from "./incoming-file-form.js";
import { t } from "./incoming-files-words.js";
import { live } from "./live.js";
import { FILEHELPER } from "./names.js";
import { empty } from "./overlays.js";
import { addressOf, go } from "./place.js";
import { explainedText, load } from "./states.js";
import { table } from "./table.js";
import { ago } from "./times.js";

export const incomingFiles = { name: "files", picture: "folder", title: () => t("incomingFiles"), open };

/** Milliseconds after an event until the outcome for its file is read. */
const SAVING = 1000;

const EXAMPLE = `[incoming_files]
root = "/srv/wechat"`;

function chatsOf(rule) {
  return rule.chats.map((chat) => (chat === FILEHELPER ? t("filehelper") : chat)).join(", ") || t("all");
}

function open(frame) {
  let view = null;

  function move([id]) {
    view?.leave();
    view = id ? oneRule(frame, id) : allRules(frame);
  }

  move(frame.parts);
  return { move, leave: () => view.leave() };
}

function statePill(rule) {
  const kind = { active: "is-good", failing: "is-bad" }[rule.state] ?? "";
  return h("span", { class: `pill ${kind}` }, t(rule.state));
}

// -- the list --------------------------------------------------------------------------------------------------------

function allRules(frame) {
  const holder = h("div", { class: "parts" });
  const list = table({
    label: t("incomingFiles"),
    columns: [
      { title: t("name"), cell: (rule) => h("a", { href: addressOf("files", rule.id) }, rule.name) },
      { title: t("folder"), cell: (rule) => rule.folder || t("rootItself") },
      { title: t("chats"), cell: chatsOf },
      { title: t("kinds"), cell: (rule) => rule.kinds.map((kind) => t(kind)).join(", ") },
      { title: t("state"), cell: statePill, kind: "is-narrow" },
    ],
    key: (rule) => rule.id,
    none: () => empty("folder", t("noRules"), t("noRulesHint")),
  });
  fill(frame.body, holder);

  async function refresh() {
    const { root, rules } = await call("GET", "/incoming-file-rules");
    if (root === null) {
      fill(holder, empty("folder", t("noRoot"), t("noRootHint")), copyable("gateway.toml", EXAMPLE));
      return;
    }
    const create = () =>
      frame.act(() => openRuleForm(frame, root, null, (rule) => go("files", rule.id)));
    list.show(rules);
    fill(
      holder,
      h("p", { class: "hint" }, t("intro", { root })),
      h("div", {}, button(t("newRule"), create, { kind: "is-main", picture: "plus" })),
      list.element,
    );
  }

  frame.act(() => load(frame, holder, refresh));
  return { leave() {} };
}

// -- one rule --------------------------------------------------------------------------------------------------------

function oneRule(frame, id) {
  const path = `/incoming-file-rules/${encodeURIComponent(id)}`;
  const card = h("section", { class: "card" });
  const holder = h("div", { class: "parts" });
  const files = fileTable();
  const given = deadLetters(frame);
  let timer = 0;

  fill(frame.body, h("a", { href: addressOf("files") }, t("toList")), holder);

  function showCard(rule, root) {
    const isOff = rule.state === "disabled";
    const toggle = button(isOff ? t("enable") : t("disable"), () =>
      frame.act(async () => showCard(await call("PATCH", path, { enabled: isOff }), root), { by: toggle }),
    );
    keepFocus(card, () =>
      fill(
        card,
        h("div", { class: "line" }, h("h3", {}, rule.name), statePill(rule)),
        h("p", { class: "hint" }, `${t("folder")}${t("colon")}${[root, rule.folder].filter(Boolean).join("/")}`),
        h("p", { class: "hint" }, `${t("pattern")}${t("colon")}${rule.pattern}`),
        h("p", { class: "hint" }, `${t("chats")}${t("colon")}${chatsOf(rule)}`),
        h("p", { class: "hint" }, `${t("kinds")}${t("colon")}${rule.kinds.map((kind) => t(kind)).join(", ")}`),
        h(
          "div",
          { class: "buttons" },
          button(t("edit"), () =>
            frame.act(() => openRuleForm(frame, root, rule, (changed) => showCard(changed, root))),
          ),
          toggle,
          deleteButton(
            frame,
            { title: t("removeTitle", { name: rule.name }), hint: t("removeHint"), words: t("remove") },
            path,
            () => go("files"),
          ),
        ),
      ),
    );
  }

  async function refresh() {
    const { root, rules } = await call("GET", "/incoming-file-rules");
    const rule = rules.find((each) => each.id === id);
    if (!rule) {
      fill(holder, empty("folder", t("gone"), t("goneHint")));
      return;
    }
    files.show((await call("GET", `${path}/files`)).files);
    await given.show([rule.consumer]);
    showCard(rule, root);
    if (!card.isConnected) {
      fill(holder, card, h("section", {}, h("h3", { class: "part-title" }, t("files")), files.element), given.element);
    }
  }

  function refreshSoon() {
    clearTimeout(timer);
    timer = setTimeout(() => frame.act(refresh, { isOfUser: false }), SAVING);
  }

  frame.act(() => load(frame, holder, refresh));
  const ends = ["event", "open"].map((kind) => live.on(kind, refreshSoon));
  return {
    leave() {
      clearTimeout(timer);
      for (const end of ends) end();
    },
  };
}

function fileTable() {
  return table({
    label: t("files"),
    columns: [
      { title: t("time"), cell: (file) => ago(file.time), kind: "is-narrow" },
      { title: t("fileName"), cell: (file) => file.name || "–" },
      { title: t("chat"), cell: (file) => file.chat_name },
      { title: t("size"), cell: (file) => (file.size ? bytes(file.size) : ""), kind: "is-narrow" },
      { title: t("outcome"), cell: outcome },
    ],
    key: (file) => `${file.account}-${file.number}`,
    none: () => empty("file", t("noFiles"), t("noFilesHint")),
  });
}

function outcome(file) {
  const kind = file.outcome === "saved" ? "is-good" : "is-bad";
  return [
    h("span", { class: `pill ${kind}` }, t(file.outcome)),
    file.error && h("p", { class: "hint" }, explainedText(file.error, file.error_code)),
  ];
}
