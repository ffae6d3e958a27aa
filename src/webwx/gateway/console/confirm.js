// A question before an action that cannot be undone.

import { call } from "./api.js";
import { button, h } from "./dom.js";
import { dialog } from "./overlays.js";
import { go } from "./place.js";
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

/** Make a button that asks, deletes what is at a path of the API, and then shows the screen with the others. */
export function deleteButton(frame, question, path, screen) {
  return button(
    question.words,
    () =>
      confirm(frame, question, async () => {
        await call("DELETE", path);
        go(screen);
      }),
    { kind: "is-danger" },
  );
}
