// The text of a row in a list of chats.

import { h } from "./dom.js";

/** Return the name and the time on one line, and what was said last below it; `above` and `below` stand at their ends. */
export function rowText(name, time, line, { above = null, below = null } = {}) {
  return h(
    "span",
    { class: "row-text" },
    h("span", { class: "row-top" }, h("span", { class: "row-name", dir: "auto" }, name), time, above),
    (line || below) && h("span", { class: "row-bottom" }, h("span", { class: "row-line", dir: "auto" }, line), below),
  );
}
