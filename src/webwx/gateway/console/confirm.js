// A question before an action that cannot be undone.

import { button, h } from "./dom.js";
import { dialog } from "./overlays.js";
import { t } from "./words.js";

/** Ask, and call `doing` when the button with `words` is clicked; the button Cancel has the focus. */
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
