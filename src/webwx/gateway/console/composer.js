// The field for new messages, and files that are picked, pasted or dropped.

import { ROOT } from "./api.js";
import { t } from "./chats-words.js";
import { fill, h, iconButton, raisesKeyboard, set } from "./dom.js";
import { Drafts } from "./drafts.js";
import { LARGEST, pendingSends } from "./pending-sends.js";

/** Texts that were not sent, by account and chat. */
export const drafts = new Drafts(`webwx.drafts${ROOT}`);

/**
 * Make the field. `refuse(words)` shows why a file is not sent, `sent` is called after each send, and `toMessages` when
 * the key Up is pressed in the empty field.
 */
export function composer({ account, refuse, sent, toMessages }) {
  let chat = "";
  let name = "";
  const text = h("textarea", { class: "input writing", rows: "1", on: { keydown: press, input: typed, paste } });
  const chosen = h("input", {
    type: "file",
    class: "chosen-file",
    multiple: true,
    tabindex: "-1",
    "aria-hidden": "true",
    on: {
      change: () => {
        sendFiles([...chosen.files]);
        chosen.value = "";
      },
    },
  });
  const attach = iconButton("plus", t("attach"), () => chosen.click());
  const sendButton = iconButton("send", t("send"), send, { class: "icon-button is-main" });
  const hint = h("p", { class: "faint", id: "enter-sends" }, t("enterSends"));
  set(text, "aria-describedby", hint.id);
  const element = h(
    "div",
    { class: "composer" },
    h("div", { class: "composer-row" }, attach, chosen, text, sendButton),
    hint,
  );

  /** Write to a chat, from its draft. */
  function writeTo(id, words) {
    chat = id;
    name = words;
    text.value = drafts.of(`${account}/${chat}`);
    set(text, "aria-label", t("message"));
    text.placeholder = t("writeTo", { name });
    grow();
  }

  function typed() {
    drafts.keep(`${account}/${chat}`, text.value);
    grow();
  }

  function grow() {
    text.style.setProperty("height", "auto");
    text.style.setProperty("height", `${Math.min(text.scrollHeight + 2, 160)}px`);
    sendButton.disabled = !text.value.trim();
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
    if (!text.value.trim()) return;
    pendingSends.sendText(account, chat, text.value);
    text.value = "";
    typed();
    text.focus();
    sent();
  }

  function paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    sendFiles(files);
  }

  function sendFiles(files) {
    refuse("");
    for (const file of files) {
      if (file.size > LARGEST) refuse(t("tooLarge", { name: file.name }));
      else if (file.size === 0) refuse(t("emptyFile", { name: file.name }));
      else pendingSends.sendFile(account, chat, file);
    }
    sent();
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
    focus: () => raisesKeyboard() || text.focus(),
    dropZone: (target) => dropZone(target, () => t("dropHere", { name }), sendFiles),
  };
}

/** Accept files that are dropped on an element, and highlight it while files are dragged over it. */
function dropZone(target, words, take) {
  const veil = h("div", { class: "drop-veil", hidden: true });
  target.append(veil);
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  target.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    fill(veil, words());
    veil.hidden = false;
  });
  target.addEventListener("dragleave", (event) => {
    if (!target.contains(event.relatedTarget)) veil.hidden = true;
  });
  target.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    take([...event.dataTransfer.files]);
  });
}
