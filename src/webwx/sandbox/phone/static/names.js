// Names and pictures of people and chats, as the selected phone shows them.

import { at } from "./addresses.js";
import { helperAvatar, letterAvatar, mosaicAvatar, roomAvatar } from "./avatars.js";
import { h } from "./dom.js";
import { store } from "./store.js";
import { t } from "./words.js";

export const FILEHELPER = "filehelper";
export const TEAM = "weixin";

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

/** The picture of a chatroom: its first members; those of one that is not in the contacts are not known. */
function roomFace(id, size) {
  const members = store.rooms.get(id)?.members ?? [];
  return members.length > 1 ? mosaicAvatar(members.map((member) => avatar(member)), size) : roomAvatar(id, size);
}

/** The picture of a person or chatroom: their own, or a colour and a letter. The name is always beside it. */
export function avatar(id, size = "") {
  if (id === FILEHELPER) return helperAvatar(size);
  if (isRoom(id)) return roomFace(id, size);
  const person = store.person(id);
  if (person.portrait)
    return h("img", {
      class: `avatar ${size}`,
      src: at(`phone/face/${encodeURIComponent(id)}`),
      alt: "",
      loading: "lazy",
    });
  return letterAvatar(person.nickname, { seed: person.picture ?? id, size });
}
