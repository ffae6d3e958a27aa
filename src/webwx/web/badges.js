// Numbers on buttons and rows.

import { h } from "./dom.js";

/** Largest number that is shown exactly. */
const MOST = 99;

/** Return a number as a badge shows it. */
export function upTo99(number) {
  return number > MOST ? `${MOST}+` : String(number);
}

/** Return the badge of a row, with `words` for screen readers; nothing for 0. */
export function rowBadge(number, words) {
  if (number === 0) return null;
  return [
    h("span", { class: "badge", "aria-hidden": "true" }, upTo99(number)),
    h("span", { class: "hidden" }, words),
  ];
}
