// A text to copy, such as a secret or a command.

import { button, fill, h } from "./dom.js";
import { t } from "./words.js";

/** Show a text with a button that copies it, or selects it where a page may not copy, such as without TLS. */
export function copyable(label, text) {
  const box = h("pre", { tabindex: "0", "aria-label": label }, text);
  const words = `${t("copy")}: ${label}`;
  const copy = button(t("copy"), copyText, { kind: "is-small", picture: "copy", "aria-label": words });

  async function copyText() {
    getSelection().selectAllChildren(box);
    if (!navigator.clipboard) return;
    await navigator.clipboard.writeText(text).then(
      () => fill(copy, t("copied")),
      () => {}, // the browser does not allow it; the text is selected
    );
  }

  return h("div", { class: "copyable" }, h("p", { class: "copyable-head" }, h("span", {}, label), copy), box);
}
