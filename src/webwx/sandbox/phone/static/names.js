// Names and pictures of people and chats, as the selected phone shows them.

import { at } from "./addresses.js";
import { h, icon } from "./dom.js";
import { store } from "./store.js";
import { t } from "./words.js";

export const FILEHELPER = "filehelper";
export const TEAM = "weixin";

const letters = new Intl.Segmenter();

/** The name of a person: the remark, or the nickname. */
export function personName(id) {
  return store.friends.get(id)?.remark || store.person(id).nickname;
}

export function isRoom(id) {
  return id !== "" && (store.rooms.has(id) || !(store.people.has(id) || id === FILEHELPER || id === TEAM));
}

/** The name of a chat: the remark, the nickname, the chatroom's name, or its members. */
export function chatName(id) {
  if (id === FILEHELPER) return t("filehelper");
  if (!isRoom(id)) return personName(id);
  const room = store.rooms.get(id);
  if (!room) return t("chatroom");
  return room.name || (room.members ?? []).map(personName).join(document.documentElement.lang === "en" ? ", " : "、");
}

/** The picture of a person or chatroom: their own, or a colour and a letter. The name is always beside it. */
export function avatar(id, size = "") {
  if (id === FILEHELPER) return h("span", { class: `avatar ${size} is-builtin`, "aria-hidden": "true" }, icon("file"));
  if (isRoom(id))
    return h(
      "span",
      { class: `avatar ${size} is-room`, "aria-hidden": "true", style: { "--hue": hue(id) } },
      icon("room"),
    );
  const person = store.person(id);
  if (person.portrait)
    return h("img", {
      class: `avatar ${size}`,
      src: at(`phone/face/${encodeURIComponent(id)}`),
      alt: "",
      loading: "lazy",
    });
  const { segment: letter } = letters.segment(person.nickname.trim() || "?").containing(0);
  return h(
    "span",
    { class: `avatar ${size}`, "aria-hidden": "true", style: { "--hue": hue(person.picture ?? id) } },
    letter,
  );
}

function hue(seed) {
  let hash = 7;
  for (const character of seed) hash = (hash * 31 + character.codePointAt(0)) % 100_003;
  return String((hash * 47) % 360);
}
