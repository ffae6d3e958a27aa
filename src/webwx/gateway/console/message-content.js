// The content of one message, by its kind. Texts become text nodes; an address is shown as text and never loaded.

import { call, linkTo, load, Problem } from "./api.js";
import { h, icon } from "./dom.js";
import { bytes, duration } from "./formats.js";
import { language } from "./language.js";
import { kindWords, t } from "./message-words.js";
import { FILEHELPER } from "./names.js";
import { pictureButton } from "./picture-viewer.js";
import { sentence } from "./states.js";
import { thumbnail } from "./thumbnails.js";
import { newKey } from "./transfer.js";

/** Bytes of a file above which its picture is not loaded before the user asks for it. */
const LARGEST_SHOWN = 20 * 1024 * 1024;

const CARDS = {
  location: "place",
  live_location: "place",
  card: "card",
  requested: "contacts",
  link: "link",
  music: "music",
  mini_program: "program",
  history: "chats",
  transfer: "money",
  red_packet: "money",
  call: "call",
};

/** Return the second part of an event's type: `text` of `message.text`, and `quote` of `message.quote.text`. */
export function kindOf(type) {
  return type.split(".")[1];
}

/** Whether an event is shown as a line between messages: a notice, a recall or a gap. */
export function isNotice(event) {
  return event.type === "message.recalled" || !event.sender;
}

/** Return the path of the media of an event. */
function mediaOf(event) {
  return `/accounts/${event.account}/messages/${event.number}/media`;
}

/** Return an event in one line, for lists, notices and screen readers; `name` is that of its author. */
export function inWords(event, name) {
  if (event.summary?.[language()]) return event.summary[language()];
  if (event.type === "continuity.lost") return t("gap");
  if (event.type === "message.recalled") return t("recalledBy", { name });
  return kindWords(kindOf(event.type));
}

/** Return the content of a message from a contact with that name. */
export function content(event, { name }) {
  const kind = kindOf(event.type);
  return (DRAWN[kind] ?? card)({ kind, data: event.data, source: mediaOf(event), name });
}

const DRAWN = {
  text: ({ data }) => words(data.text),
  group_note: ({ data }) => words(data.text),
  quote: ({ data }) => [
    words(data.text),
    h("blockquote", { class: "quoted" }, [data.quoted?.sender_name, quotedWords(data.quoted)].filter(Boolean).join(": ")),
  ],
  image: ({ source, name }) => picture(source, t("pictureFrom", { name }), "photo"),
  sticker: (message) =>
    message.data.is_available === false
      ? card(message)
      : picture(message.source, t("stickerFrom", { name: message.name }), "sticker"),
  voice: ({ kind, data, source }) => [
    player(source),
    download(source, kind, t("voice"), duration(data.duration)),
  ],
  video: ({ kind, data, source }) => download(source, kind, t("video"), duration(data.duration), data.size),
  file: (message) => (isShownFile(message.data) ? shownFile(message) : downloadFile(message)),
};

/** Whether a file is a picture that WeChat sends as a file, but browsers show. */
function isShownFile({ name, size }) {
  return /\.webp$/i.test(name) && size <= LARGEST_SHOWN;
}

function shownFile(message) {
  const { source, name, data } = message;
  const words = `${t("pictureFrom", { name })}: ${data.name}`;
  return picture(source, words, "photo", downloadFile(message));
}

function downloadFile({ kind, data, source }) {
  return download(source, kind, data.name, "", data.size);
}

function quotedWords(quoted) {
  return quoted?.message_type > 1 ? quoted.summary?.[language()] : quoted?.text;
}

function words(text) {
  return h("p", { class: "words", dir: "auto" }, text ?? "");
}

/** Return a picture; `otherwise` stands in for one that cannot be loaded. */
function picture(source, alt, look, otherwise = h("p", { class: "hint" }, t("noPicture"))) {
  const shown = h("img", { class: look, alt, loading: "lazy" });
  const opening = pictureButton(shown, {
    words: alt,
    load: (picture) => load(picture, source),
    save: (link) => linkTo(link, source),
    actions: [{ words: t("forwardPicture"), picture: "forward", act: forwarding(source) }],
  });
  load(shown, source);
  shown.addEventListener("error", () => opening.replaceWith(otherwise));
  return opening;
}

/** Return the action that forwards a message to File Transfer Helper; a repetition without an answer is sent once. */
function forwarding(source) {
  let key = newKey();
  return async () => {
    try {
      await call("POST", source.replace(/media$/, "forward"), { to: FILEHELPER }, { "Idempotency-Key": key });
      return t("pictureForwarded");
    } catch (error) {
      if (error instanceof Problem && error.status < 500) key = newKey();
      return sentence(error);
    }
  };
}

function player(source) {
  const shown = h("audio", { class: "player is-voice", controls: true, preload: "none", "aria-label": t("voice") });
  load(shown, source);
  return shown;
}

function download(source, picture, name, length, size = 0) {
  const link = h(
    "a",
    { class: "attached", download: name },
    icon(picture),
    h(
      "span",
      { class: "attached-text" },
      h("span", { class: "attached-name" }, name),
      h("span", { class: "faint" }, [length, size ? bytes(size) : ""].filter(Boolean).join(" · ")),
    ),
  );
  linkTo(link, source);
  return link;
}

function card({ kind, data }) {
  // The title of a channel's message only says that the app is too old, and that of money only says what it is.
  const shown = data.author || data.amount || data.wish || data.title;
  const title = shown || data.person?.nickname || data.name || data.text || kindWords(kind);
  const described = data.author ? data.text : data.note || data.description;
  const below = described || data.greeting || data.label || data.person?.company || "";
  return h(
    "div",
    { class: "card" },
    h(
      "div",
      { class: "card-body" },
      h("span", { class: "card-icon", "aria-hidden": "true" }, icon(CARDS[kind] ?? "unknown")),
      h(
        "div",
        { class: "card-text" },
        h("p", { class: "card-title", dir: "auto" }, title),
        below && h("p", { class: "card-note" }, below),
      ),
    ),
    data.url && h("p", { class: "card-url" }, data.url),
    h("p", { class: "card-kind" }, kind in CARDS ? kindWords(kind) : t("other")),
  );
}

/** Return the content of a send: its text, or the name of its file, with a small picture of `file` if the page has it. */
export function sentContent({ kind, text }, file = null) {
  if (kind === "text") return words(text);
  const picture = { image: "picture", video: "video", sticker: "sticker" }[kind] ?? "file";
  return h(
    "div",
    { class: "attached" },
    file ? thumbnail(file, icon(picture)) : icon(picture),
    h(
      "span",
      { class: "attached-text" },
      h("span", { class: "attached-name" }, text || kindWords(kind)),
      h("span", { class: "faint" }, kindWords(kind)),
    ),
  );
}
