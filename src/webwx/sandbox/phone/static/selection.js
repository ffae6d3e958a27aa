// What is done with messages that are already there: forward, delete, and the selection of several.

import { confirmDialog, say } from "./attempts.js";
import { act, actingOnce } from "./control.js";
import { button, fill, h, set } from "./dom.js";
import { chatName, FILEHELPER, isRoom, personName, TEAM } from "./names.js";
import { choosePeople } from "./people.js";
import { store } from "./store.js";
import { t } from "./words.js";

/** Maximum number of chats in one forward, as on phones. */
const MOST_CHATS = 9;

/** Ask for the chats to which messages are forwarded; `done` is called after the last one is sent. */
export function askForward(messages, done = () => {}) {
  const from = store.who;
  const ids = messages.filter(canForward).map(({ id }) => id);
  const actOnce = actingOnce(); // a repetition after a lost answer must not send what has arrived
  const leftOut = messages.length - ids.length;
  choosePeople(
    t("forwardTo"),
    chatsToWriteTo(),
    t("forward"),
    async (chats) => {
      for (const to of chats) await actOnce("forward", { from, to, ids });
      say(t("forwarded"));
    },
    { then: done, most: MOST_CHATS, hint: leftOut ? t("someStay", { n: leftOut }) : "" },
  );
}

/** Ask for the chats to which messages of the open chat are forwarded as one; `done` is called after the last one is sent. */
function askMerge(messages, done) {
  const from = store.who;
  const actOnce = actingOnce();
  const names = [personName(from), chatName(store.chat)].map((name) => name || t("chatroom"));
  const title = isRoom(store.chat) ? t("roomHistory") : t("historyOf", { one: names[0], other: names[1] });
  const lines = messages.filter(canForward).map((message) => `${personName(message.from)}: ${inOneLine(message)}`);
  choosePeople(
    t("forwardTo"),
    chatsToWriteTo(),
    t("forward"),
    async (chats) => {
      for (const to of chats) await actOnce("history", { from, to, title, lines });
      say(t("forwarded"));
    },
    { then: done, most: MOST_CHATS, hint: t("mergeHint") },
  );
}

function inOneLine({ kind, text, title }) {
  return kind === "text" || kind === "quote" ? (title ?? text) : [`[${t(kind)}]`, title ?? text].filter(Boolean).join(" ");
}

export function canForward(message) {
  return !message.stays && !message.recalled;
}

/** The chats of this phone, the last used first, and then all other contacts. */
function chatsToWriteTo() {
  const isOpen = (id) =>
    id === FILEHELPER || (isRoom(id) ? store.rooms.has(id) && !store.rooms.get(id).left : store.friends.has(id));
  const recent = [...store.rows.values()].sort((one, other) => other.order - one.order).map(({ id }) => id);
  const all = new Set([...recent, FILEHELPER, ...store.rooms.keys(), ...store.friends.keys()]);
  return [...all].filter((id) => id !== TEAM && isOpen(id));
}

/** Ask before messages of the open chat are deleted; `done` is called after that. */
export function askDelete(messages, done = () => {}) {
  const fields = { who: store.who, chat: store.chat, ids: messages.map(({ id }) => id) };
  const question = messages.length === 1 ? t("deleteMessage") : t("deleteMessages", { n: messages.length });
  confirmDialog(question, t("deleteHint"), t("delete"), async () => {
    await act("delete", fields);
    done();
  });
}

/** Select several messages of the open chat; `ended` is called when the selection is left. */
export function selection({ log, ended }) {
  const chosen = new Set();
  const count = h("span", { class: "choosing-count", role: "status" });
  const forwardButton = button("", () => askForward(messages(), end), { picture: "forward" });
  const mergeButton = button("", () => askMerge(messages(), end), { picture: "chats" });
  const deleteButton = button("", () => askDelete(messages(), end), { picture: "trash", kind: "is-danger" });
  const endButton = button("", () => end());
  const element = h(
    "div",
    { class: "choosing", role: "group", hidden: true },
    count,
    h("span", { class: "stretch" }),
    forwardButton,
    mergeButton,
    deleteButton,
    endButton,
  );

  function messages() {
    return store.messages.filter(({ id }) => chosen.has(id));
  }

  function begin(message) {
    element.hidden = false;
    log.classList.add("is-choosing");
    chosen.clear();
    toggle(message.id);
  }

  function end() {
    if (element.hidden) return;
    element.hidden = true;
    log.classList.remove("is-choosing");
    chosen.clear();
    update();
    ended();
  }

  function toggle(id) {
    if (chosen.has(id)) chosen.delete(id);
    else chosen.add(id);
    update();
  }

  function update() {
    const all = messages();
    set(element, "aria-label", t("select"));
    fill(count, t("selected", { n: all.length }));
    for (const [node, words] of [
      [forwardButton, t("forward")],
      [mergeButton, t("forwardAsOne")],
      [deleteButton, t("delete")],
      [endButton, t("cancel")],
    ])
      node.lastChild.nodeType === Node.TEXT_NODE ? (node.lastChild.data = words) : node.append(words);
    forwardButton.disabled = !all.some(canForward);
    mergeButton.disabled = all.filter(canForward).length < 2;
    deleteButton.disabled = !all.length;
    for (const node of log.querySelectorAll(".message")) mark(node);
  }

  /** Show whether a message is selected. */
  function mark(node) {
    const isChosen = !element.hidden && chosen.has(node.dataset.id);
    node.classList.toggle("is-chosen", isChosen);
    node.querySelector(".chosen-mark")?.remove();
    if (isChosen) node.prepend(h("span", { class: "chosen-mark" }, t("isSelected")));
  }

  // A click or the space bar selects a message, instead of what is in it.
  const press = (event) => {
    const node = event.target.closest(".message");
    if (element.hidden || !node || !log.contains(node)) return;
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    toggle(node.dataset.id);
  };
  log.addEventListener("click", press, true);
  log.addEventListener("keydown", press, true);
  return { element, begin, end, update, mark, isOn: () => !element.hidden };
}
