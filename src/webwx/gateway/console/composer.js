// The field for new messages, and the files that will be sent with it.

import { ROOT } from "./api.js";
import { t } from "./chats-words.js";
import { h, iconButton, raisesKeyboard, set } from "./dom.js";
import { Drafts } from "./drafts.js";
import { acceptFiles, FileTray } from "./files.js";
import { largest } from "./limits.js";
import { pendingSends } from "./pending-sends.js";
import { fileChooser, growToText } from "./writing.js";

/** Texts that were not sent, by account and chat. */
export const drafts = new Drafts(`webwx.drafts${ROOT}`);

/**
 * Make the field. `sent` is called after each send, and `toMessages` when the key Up is pressed in the empty field.
 */
export function composer({ account, sent, toMessages }) {
  let chat = "";
  let name = "";
  const text = h("textarea", { class: "input writing", rows: "1", on: { keydown: press, input: typed } });
  const tray = trayOf(account);
  const chooser = fileChooser(take);
  const attach = iconButton("plus", t("attach"), () => chooser.choose());
  const sendButton = iconButton("send", t("send"), send, { class: "icon-button is-main" });
  const hint = h("p", { class: "faint", id: "enter-sends" }, t("enterSends"));
  set(text, "aria-describedby", hint.id);
  const element = h(
    "div",
    { class: "composer" },
    tray.element,
    h("div", { class: "composer-row" }, attach, chooser.element, text, sendButton),
    hint,
  );
  tray.changed = grow;
  tray.leave = () => text.focus();

  /** Write to a chat, from its draft. */
  function writeTo(id, words) {
    chat = id;
    name = words;
    text.value = drafts.of(`${account}/${chat}`);
    set(text, "aria-label", t("message"));
    text.placeholder = t("writeTo", { name });
    tray.show(chat);
  }

  function typed() {
    drafts.keep(`${account}/${chat}`, text.value);
    grow();
  }

  function grow() {
    growToText(text);
    sendButton.disabled = !text.value.trim() && tray.ready().length === 0;
  }

  /** Enter sends, Shift and Enter start a line; while an input method composes, Enter belongs to the input method. */
  function press(event) {
    if (event.isComposing) return;
    if (event.key === "ArrowUp" && !text.value) {
      event.preventDefault();
      toMessages();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    }
  }

  function send() {
    const files = tray.ready();
    const words = text.value.trim() ? text.value : "";
    if (!words && files.length === 0) return;
    pendingSends.send(
      account,
      chat,
      files.map(({ file }) => file),
      words,
    );
    for (const file of files) tray.remove(file);
    text.value = "";
    typed();
    text.focus();
    sent();
  }

  function take(files) {
    tray.add(files);
    focus();
  }

  function focus() {
    if (!raisesKeyboard()) text.focus();
  }

  /** Put a text that was not sent back into the field. */
  function edit(words) {
    text.value = [words, text.value].filter(Boolean).join("\n");
    typed();
    text.focus();
  }

  return {
    element,
    writeTo,
    edit,
    focus,
    acceptFiles: (target) => acceptFiles(target, { words: () => t("dropHere", { name }), take, isReady: () => true }),
  };
}

const trays = new Map();

/** Return the files to send of an account, which stay while another screen is open. */
function trayOf(account) {
  if (!trays.has(account)) trays.set(account, new FileTray(largest));
  return trays.get(account);
}
