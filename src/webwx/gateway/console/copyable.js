// A text to copy, such as a secret or a command.

import { button, fill, h, set } from "./dom.js";
import { t } from "./words.js";

/** Show a text with a button that copies it, or selects it where a page may not copy, such as without TLS. */
export function copyable(label, text) {
  const box = h("pre", { tabindex: "0", role: "group", "aria-label": label }, text);
  const copy = button(t("copy"), copyText, {
    kind: "is-small",
    picture: "copy",
    "aria-label": `${t("copy")}: ${label}`,
  });

  async function copyText() {
    getSelection().selectAllChildren(box);
    if (!navigator.clipboard) return;
    await navigator.clipboard.writeText(text).then(
      () => {
        fill(copy, t("copied"));
        set(copy, "aria-label", `${t("copied")}: ${label}`);
      },
      () => {}, // the browser does not allow it; the text is selected
    );
  }

  return h("div", { class: "copyable" }, h("p", { class: "copyable-head" }, h("span", {}, label), copy), box);
}
