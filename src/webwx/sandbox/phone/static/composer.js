// The field for a message, and its attachments.

import { formDialog, refuse } from "./attempts.js";
import { inWords } from "./bubbles.js";
import { actingOnce, look, Refusal, upload } from "./control.js";
import { fill, h, iconButton, raisesKeyboard, set, soon } from "./dom.js";
import { Drafts } from "./drafts.js";
import { emojiPanel } from "./emoji-panel.js";
import { acceptFiles, FileTray } from "./files.js";
import { chatName, FILEHELPER, personName } from "./names.js";
import { mentionPicker } from "./mention-picker.js";
import { menu } from "./overlays.js";
import { choosePeople } from "./people.js";
import { inTurn, UnsentTexts } from "./sends.js";
import { store } from "./store.js";
import { newKey } from "./transfer.js";
import { t } from "./words.js";
import { fileChooser, growToText } from "./writing.js";

/** Milliseconds to wait for the duration of a file; after that it is sent without a duration. */
const LONGEST_LOOK = 3000;

const FILES = [
  { verb: "picture", words: "image", picture: "picture", accept: "image/*" },
  { verb: "file", words: "file", picture: "file", accept: "" },
  { verb: "voice", words: "voice", picture: "voice", accept: "audio/*" },
  { verb: "video", words: "video", picture: "video", accept: "video/*" },
  { verb: "sticker", words: "sticker", picture: "sticker", accept: "image/*" },
];

/** Texts that were not sent, by person and chat. */
const drafts = new Drafts("webwx.phone.drafts");

/** Whether a person or a chat exists no longer, such as after another scenario was loaded. */
function isGone(place) {
  const isChat = (id) => [store.people, store.rooms, store.rows].some((all) => all.has(id)) || id === FILEHELPER;
  const [who, chat] = place.split("/");
  return !store.people.has(who) || (who === store.who && !isChat(chat));
}

export function composer({ afterSend }) {
  let quoted = null;
  let draftOf = "";
  const text = h("textarea", { class: "input writing", rows: "1", on: { keydown: press, input: typed } });
  let verbOfChosen = ""; // what the files to choose are sent as
  const chooser = fileChooser((files) => take(files, verbOfChosen));
  let largest = Infinity; // until the sandbox has told it
  const tray = new FileTray(() => largest);
  look("limits").then(
    ({ upload_bytes: bytes }) => {
      largest = bytes;
    },
    () => {}, // a page without a sandbox shows that elsewhere
  );
  const attach = iconButton("plus", "", openMenu, { "aria-haspopup": "menu", "aria-expanded": "false" });
  const sendButton = iconButton("send", "", send, { class: "icon-button is-main" });
  const emoji = emojiPanel({ insert, leave: () => text.focus() });
  const mentions = mentionPicker(text, (words, from) => insert(words, from));
  const quoteLine = h("div", { class: "quoting", hidden: true });
  const element = h(
    "div",
    { class: "composer" },
    quoteLine,
    tray.element,
    emoji.element,
    mentions.element,
    h("div", { class: "composer-row" }, attach, emoji.opener, chooser.element, text, sendButton),
  );

  const texts = new UnsentTexts({ tray, sent: (place) => place === draftOf && afterSend(), giveBack });
  addEventListener("pagehide", keepUnsent);
  store.on("contacts", soon(forgetGone));

  tray.drop = (item) => texts.drop(item);
  tray.changed = grow;
  tray.leave = () => text.focus();
  texts.restore();

  function update() {
    const place = `${store.who}/${store.chat}`;
    if (place !== draftOf) {
      draftOf = place;
      emoji.close();
      text.value = drafts.of(place);
      quote(null);
      grow();
    }
    tray.show(place);
    emoji.update();
    set(text, "aria-label", t("message"));
    text.placeholder = t("writeTo", { name: chatName(store.chat) });
    for (const [node, words] of [
      [attach, t("attach")],
      [sendButton, t("send")],
    ]) {
      set(node, "aria-label", words);
      set(node, "title", words);
    }
  }

  /** Insert words at the caret, in the place of what is selected, or of the text from a position on. */
  function insert(words, from = text.selectionStart) {
    text.setRangeText(words, from, text.selectionEnd, "end");
    typed();
  }

  function typed() {
    drafts.keep(draftOf, text.value);
    grow();
    mentions.update();
  }

  function grow() {
    growToText(text);
    sendButton.disabled = !text.value.trim() && tray.ready().length === 0;
  }

  /** Enter sends, Shift+Enter starts a new line; while an input method composes, Enter belongs to it. */
  function press(event) {
    if (mentions.press(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && quoted) {
      event.stopPropagation();
      quote(null);
    } else if (event.key === "ArrowUp" && !text.value) {
      const messages = element.parentElement.querySelectorAll(".message, .grey-line");
      messages[messages.length - 1]?.focus();
    }
  }

  function send() {
    const words = text.value.trim();
    const files = tray.ready();
    if (!words && files.length === 0) return;
    const to = { from: store.who, to: store.chat };
    const about = quoted;
    const place = draftOf;
    text.value = "";
    quote(null);
    typed();
    text.focus(); // the button is disabled now, and would lose the focus
    for (const file of files) tray.update(file, { state: "waiting", key: newKey(), to });
    for (const file of files) inTurn(place, () => tray.has(file) && sendFile(file));
    if (!words) return;
    if (about) texts.send(place, "quote", { ...to, message_id: about.id, text: words });
    else texts.send(place, "say", { ...to, text: words });
  }

  /** Put a text that was not sent back into the field, before what was written since then. */
  function giveBack(place, words, error) {
    if (error) refuse(error.message);
    const isShown = place === draftOf;
    const all = [words, isShown ? text.value : drafts.of(place)].filter(Boolean).join("\n"); // a long draft is not kept whole
    drafts.keep(place, all);
    if (!isShown) return;
    text.value = all;
    grow();
    if (!error) text.focus();
  }

  function forgetGone() {
    if (!store.isKnown || store.people.size === 0) return; // a new connection has not told them yet
    drafts.forget(isGone);
    texts.forget(isGone);
  }

  /** Keep what is not sent when the page is left, and would be lost. */
  function keepUnsent() {
    for (const [place, items] of texts.lostByReload())
      drafts.keep(place, [...items.map((item) => item.text), drafts.of(place)].filter(Boolean).join("\n"));
  }

  function quote(message) {
    quoted = message;
    quoteLine.hidden = !message;
    if (!message) return;
    fill(
      quoteLine,
      h("span", {}, t("quoting", { name: personName(message.from), text: inWords(message).slice(0, 80) })),
      iconButton("close", t("cancel"), () => {
        quote(null);
        text.focus();
      }),
    );
    text.focus();
  }

  // -- attachments ---------------------------------------------------------------------------------------------------

  function openMenu() {
    menu(attach, t("attach"), [
      ...FILES.map(({ verb, words, picture, accept }) => ({
        words: t(words),
        picture,
        act: () => {
          verbOfChosen = verb;
          chooser.choose(accept);
        },
      })),
      { words: t("location"), picture: "place", act: askLocation },
      { words: t("link"), picture: "link", act: askLink },
      { words: t("card"), picture: "card", act: askCard },
    ]);
  }

  function take(files, verb = "") {
    tray.add(files, (file) => verb || verbFor(file));
    if (!raisesKeyboard()) text.focus();
  }

  /** Send a file; a refused one stays where it is, with the reason, and a repetition of it is sent once. */
  async function sendFile(item) {
    const { verb, file, to, key } = item;
    const name = verb === "picture" || verb === "file" ? { name: file.name } : {};
    const fields = { ...to, ...name, ...(await lengthOf(verb, file)) };
    const { done, cancel } = upload(verb, fields, file, key, (part) => tray.update(item, { part }));
    tray.update(item, { state: "uploading", part: 0, reason: "", cancel });
    try {
      const answer = await done;
      tray.remove(item);
      if (answer && item.place === draftOf) afterSend();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      tray.update(item, { state: "refused", reason: error.message, again: () => inTurn(item.place, () => tray.has(item) && sendFile(item)) });
    }
  }

  function askLocation() {
    const act = actingOnce();
    formDialog(
      t("location"),
      [
        { name: "name", label: t("placeName"), value: "人民广场", required: true },
        { name: "label", label: t("placeLabel"), value: "上海市黄浦区人民大道", required: true },
        { name: "latitude", label: t("latitude"), type: "number", value: "31.2304", required: true },
        { name: "longitude", label: t("longitude"), type: "number", value: "121.4737", required: true },
      ],
      t("send"),
      (values) => act("location", { from: store.who, to: store.chat, ...values }),
    );
  }

  function askLink() {
    const act = actingOnce();
    formDialog(
      t("link"),
      [
        { name: "title", label: t("title"), required: true },
        { name: "url", label: t("address"), value: "https://example.com/", required: true },
        { name: "description", label: t("description") },
      ],
      t("send"),
      (values) => act("link", { from: store.who, to: store.chat, ...values }),
    );
  }

  function askCard() {
    const act = actingOnce();
    choosePeople(
      t("whoseCard"),
      [...store.friends.keys()],
      t("send"),
      ([person]) => act("card", { from: store.who, to: store.chat, person }),
      { most: 1 },
    );
  }

  return {
    element,
    update,
    quote,
    focus: () => text.focus(),
    acceptFiles: (target) =>
      acceptFiles(target, {
        words: () => t("dropHere", { name: chatName(store.chat) }),
        take,
        isReady: () => !element.hidden,
      }),
  };
}

const PICTURES = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp"];

/** Return what a phone sends a file as that was dropped or pasted. */
function verbFor({ type }) {
  if (PICTURES.includes(type)) return "picture";
  return type === "video/mp4" || type === "video/quicktime" ? "video" : "file";
}

/** Return the duration of a media file; undefined if this browser cannot play it, and then the sandbox decides. */
async function lengthOf(verb, file) {
  if (verb !== "voice" && verb !== "video") return {};
  const address = URL.createObjectURL(file);
  const seconds = await new Promise((resolve) => {
    const end = () => resolve(player.duration);
    const player = h("video", { preload: "metadata", src: address, on: { loadedmetadata: end, error: end } });
    setTimeout(end, LONGEST_LOOK);
  });
  URL.revokeObjectURL(address);
  if (!Number.isFinite(seconds)) return {};
  return { seconds: verb === "video" ? Math.max(1, Math.round(seconds)) : seconds };
}
