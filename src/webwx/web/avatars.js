// Pictures of contacts that have none of their own: a colour, and a letter or an icon. The name is always beside them.

import { h, icon } from "./dom.js";

const letters = new Intl.Segmenter();

/** Return the first letter of a name, in a colour by `seed`; `size` is a class. */
export function letterAvatar(name, { seed = name, size = "" } = {}) {
  const { segment: letter } = letters.segment(name.trim() || "?").containing(0);
  return h("span", { class: `avatar ${size}`, "aria-hidden": "true", style: { "--hue": hue(seed) } }, letter);
}

/** Return the avatar of a chatroom, in a colour by `seed`. */
export function roomAvatar(seed, size = "") {
  const props = { class: `avatar ${size} is-room`, "aria-hidden": "true", style: { "--hue": hue(seed) } };
  return h("span", props, icon("room"));
}

/** Return the avatar of File Transfer Helper. */
export function helperAvatar(size = "") {
  return h("span", { class: `avatar ${size} is-builtin`, "aria-hidden": "true" }, icon("file"));
}

function hue(seed) {
  let hash = 7;
  for (const character of seed) hash = (hash * 31 + character.codePointAt(0)) % 100_003;
  return String((hash * 47) % 360);
}
