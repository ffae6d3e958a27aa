// Pictures of contacts that have none of their own: a colour, and a letter or an icon. The name is always beside them.

import { h, icon } from "./dom.js";

/** Number of members in a mosaic. */
const MOST_TILES = 9;

/** The first letter of nearly all names, which no further character changes: it needs no segmenter, whose making takes 10 ms. */
const PLAIN = /^[\p{L}\p{N}](?![\p{M}\u200d\u1160-\u11ff])/u;

let segmenter = null;

/** Return the first letter of a name, in a colour by `seed`; `size` is a class. */
export function letterAvatar(name, { seed = name, size = "" } = {}) {
  const letter = firstLetter(name.trim() || "?");
  return h("span", { class: `avatar ${size}`, "aria-hidden": "true", style: { "--hue": hue(seed) } }, letter);
}

/** Return the avatar of a chatroom, in a colour by `seed`. */
export function roomAvatar(seed, size = "") {
  const props = { class: `avatar ${size} is-room`, "aria-hidden": "true", style: { "--hue": hue(seed) } };
  return h("span", props, icon("room"));
}

/** Return the avatar of a chatroom as a mosaic of those of its first members, at most nine. */
export function mosaicAvatar(members, size = "") {
  const tiles = members.slice(0, MOST_TILES);
  const across = tiles.length > 4 ? 3 : 2;
  return h("span", { class: `avatar ${size} is-mosaic`, "aria-hidden": "true", style: { "--across": String(across) } }, tiles);
}

/** Return the avatar of File Transfer Helper. */
export function helperAvatar(size = "") {
  return h("span", { class: `avatar ${size} is-builtin`, "aria-hidden": "true" }, icon("file"));
}

/** Return the first letter of a name as people see it: an emoji may be several characters. */
function firstLetter(name) {
  const [plain] = PLAIN.exec(name) ?? [];
  if (plain) return plain;
  segmenter ??= new Intl.Segmenter();
  return segmenter.segment(name).containing(0).segment;
}

function hue(seed) {
  let hash = 7;
  for (const character of seed) hash = (hash * 31 + character.codePointAt(0)) % 100_003;
  return String((hash * 47) % 360);
}
