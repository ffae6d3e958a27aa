// A question before something that cannot be taken back.

import { button, h } from "./dom.js";
import { dialog } from "./overlays.js";
import { t } from "./words.js";

/** Ask, and do it when `words` are clicked; Cancel has the keyboard. */
export function confirm(frame, { title, hint, words }, doing) {
  dialog(title, (close) => [
    h("p", { class: "hint" }, hint),
    h(
      "div",
      { class: "dialog-buttons" },
      button(t("cancel"), close, { autofocus: true }),
      button(
        words,
        () => {
          close();
          frame.act(doing);
        },
        { kind: "is-danger" },
      ),
    ),
  ]);
}
