// The field for a message: it grows with its text, and files are chosen beside it.

import { h } from "./dom.js";

/** Largest height of the field in pixels. */
const HIGHEST = 160;

/** Set the height of a field to that of its text. */
export function growToText(field) {
  field.style.setProperty("height", "auto");
  if (!field.value) return; // its height is that of one line, and to measure it would lay out the page
  field.style.setProperty("height", `${Math.min(field.scrollHeight + 2, HIGHEST)}px`);
}

/** Return a hidden field to choose files with, opened by `choose(accept)`; `take(files)` gets those that are chosen. */
export function fileChooser(take) {
  const element = h("input", {
    type: "file",
    class: "chosen-file",
    multiple: true,
    tabindex: "-1",
    "aria-hidden": "true",
    on: { change: () => take([...element.files]) },
  });

  function choose(accept = "") {
    element.accept = accept;
    element.value = ""; // the same file can be chosen again
    element.click();
  }

  return { element, choose };
}
