// One message in a conversation, by its kind.

import { at } from "./addresses.js";
import { attempt } from "./attempts.js";
import { letterAvatar } from "./avatars.js";
import { act } from "./control.js";
import { button, h, icon, set } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { bytes } from "./formats.js";
import { avatar, chatName, personName } from "./names.js";
import { dialog } from "./overlays.js";
import { pictureButton } from "./picture-viewer.js";
import { place } from "./place.js";
import { askForward, canForward } from "./selection.js";
import { store } from "./store.js";
import { t } from "./words.js";

const INLINE = ["image/jpeg", "image/png", "image/gif", "image/webp"];

const CARDS = {
  location: "place",
  live_location: "place",
  card: "card",
  friend_request: "contacts",
  link: "link",
  music: "music",
  mini_program: "program",
  history: "chats",
  group_note: "chats",
  transfer: "money",
  red_packet: "money",
  call: "call",
  raw: "unknown",
};

/** The address of a message's picture, file, video or voice. */
export function mediaUrl(message) {
  return at(`phone/media/${message.id}`);
}

/** Whether a message is a picture, which needs no bubble. */
export function isBare(message) {
  return message.kind === "image" || isShownFile(message) || (message.kind === "sticker" && Boolean(message.size));
}

/** Whether a file is a picture that clients send as a file, but browsers show. */
function isShownFile({ kind, type }) {
  return kind === "file" && type === "image/webp";
}

/** The text of a notice; empty for an ordinary message. */
export function greyLine(message) {
  if (message.recalled) return message.mine ? t("youRecalled") : t("recalledBy", { name: personName(message.from) });
  return message.kind === "system" ? message.text : "";
}

/** A message as text, for screen readers and for quotes. */
export function inWords(message) {
  if (greyLine(message)) return greyLine(message);
  if (message.kind === "text" || message.kind === "quote") return withEmoji(message.text ?? "");
  return [t(message.kind), message.title ?? message.text].filter(Boolean).join(": ");
}

/** The content of a bubble. */
export function content(message) {
  const kind = DRAWN[message.kind] ?? card;
  return kind(message);
}

const DRAWN = {
  text: (message) => h("p", { class: "words", dir: "auto" }, withEmoji(message.text ?? "")),
  quote: (message) => [
    h("p", { class: "words", dir: "auto" }, withEmoji(message.title ?? message.text ?? "")),
    h("blockquote", { class: "quoted" }, withEmoji(message.note ?? "")),
  ],
  image: (message) => picture(message, t("pictureFrom", { name: personName(message.from) }), "photo"),
  sticker: (message) =>
    message.size
      ? picture(message, t("stickerFrom", { name: personName(message.from) }), "sticker")
      : card(message, t("storeSticker")),
  voice: (message) => played(message, "audio", "audio/"),
  video: (message) => played(message, "video", "video/"),
  file: (message) =>
    isShownFile(message)
      ? picture(message, `${t("pictureFrom", { name: personName(message.from) })}: ${message.text}`, "photo")
      : file(message),
};

function picture(message, words, look) {
  if (!INLINE.includes(message.type)) return file(message);
  const shown = h("img", { class: look, src: mediaUrl(message), alt: words, loading: "lazy" });
  if (look !== "photo") {
    shown.addEventListener("error", () => shown.replaceWith(file(message)));
    return shown;
  }
  const opening = pictureButton(shown, {
    words,
    load: (picture) => set(picture, "src", mediaUrl(message)),
    save: (link) => {
      set(link, "href", mediaUrl(message));
      set(link, "download", message.text || "");
    },
    actions: canForward(message)
      ? [{ words: t("forward"), picture: "forward", act: () => askForward([message]) }]
      : [],
  });
  shown.addEventListener("error", () => opening.replaceWith(file(message)));
  return opening;
}

function played(message, tag, family) {
  const length = message.seconds ? t("seconds", { n: Math.round(message.seconds * 10) / 10 }) : "";
  const head = h(
    "div",
    { class: "played-head" },
    icon(message.kind),
    h("span", {}, t(message.kind)),
    h("span", { class: "faint" }, length),
  );
  if (!(message.type ?? "").startsWith(family) || message.type === "audio/amr")
    return [head, download(message, t("notPlayable"))];
  const player = h(tag, {
    class: `player is-${message.kind}`,
    controls: true,
    preload: "metadata",
    src: mediaUrl(message),
    "aria-label": inWords(message),
  });
  player.addEventListener("error", () => player.replaceWith(download(message, t("notPlayable"))));
  return [head, player];
}

function download(message, note = "") {
  return h(
    "a",
    { class: "download", href: mediaUrl(message), download: message.text || "" },
    t("download"),
    h("span", { class: "faint" }, [bytes(message.size ?? 0), note].filter(Boolean).join(" · ")),
  );
}

function file(message) {
  return h(
    "a",
    { class: "attached", href: mediaUrl(message), download: message.text || "" },
    icon("file"),
    h(
      "span",
      { class: "attached-text" },
      h("span", { class: "attached-name", title: message.text }, message.text || t(message.kind)),
      h("span", { class: "faint" }, bytes(message.size ?? 0)),
    ),
  );
}

function card(message, note = message.note) {
  const title =
    message.about && store.people.has(message.about)
      ? store.person(message.about).nickname
      : message.title || message.text || t(message.kind);
  const below = message.kind === "location" ? message.text : message.kind === "friend_request" ? message.text : note;
  return h(
    "div",
    { class: "card" },
    h(
      "div",
      { class: "card-body" },
      message.about
        ? avatar(message.about)
        : h("span", { class: "card-icon", "aria-hidden": "true" }, icon(CARDS[message.kind] ?? message.kind)),
      h(
        "div",
        { class: "card-text" },
        h("p", { class: "card-title", dir: "auto" }, title),
        below && h("p", { class: "card-note" }, message.lines ? withEmoji(below) : below),
      ),
    ),
    // The address is shown but not loaded: the page sends no request to another host.
    message.url && message.kind !== "location" && h("p", { class: "card-url" }, message.url),
    h(
      "p",
      { class: "card-kind" },
      t(message.kind),
      message.kind === "friend_request" && answerTo(message),
      message.kind === "card" && open(message),
      message.leads_to && !message.mine && join(message),
      message.lines && openHistory(message),
    ),
  );
}

function answerTo(message) {
  if (!store.asked.includes(message.about))
    return h("span", { class: "faint" }, store.friends.has(message.about) ? t("accepted") : "");
  return button(t("accept"), () => attempt(() => act("accept", { who: store.who, asked_by: message.about })), {
    kind: "is-small is-main",
    "aria-label": `${t("accept")}: ${chatName(message.about)}`,
  });
}

function join(message) {
  const room = store.rooms.get(message.leads_to);
  if (room && !room.left) return h("span", { class: "faint" }, t("joined"));
  return button(
    t("join"),
    () => attempt(() => act("join", { who: store.who, chat: message.leads_to, by: message.from })),
    { kind: "is-small is-main" },
  );
}

/** Open a merged history in a panel. */
function openHistory({ title, lines }) {
  return button(t("openHistory"), () => dialog(title, () => h("ul", { class: "history panel-fields" }, lines.map(historyLine)), { kind: "is-side" }), {
    kind: "is-small",
    "aria-haspopup": "dialog",
    "aria-label": `${t("openHistory")}: ${title}`,
  });
}

function historyLine({ name, text, time = "" }) {
  return h(
    "li",
    { class: "history-line" },
    letterAvatar(name ?? "", { size: "is-small" }),
    h(
      "div",
      {},
      h("p", { class: "history-head" }, h("span", { dir: "auto" }, name), h("span", {}, time)),
      h("p", { class: "words", dir: "auto" }, withEmoji(text)),
    ),
  );
}

function open(message) {
  return button(t("details"), () => place.go({ view: "contacts", contact: message.about }), {
    kind: "is-small",
    "aria-label": `${t("details")}: ${chatName(message.about)}`,
  });
}
