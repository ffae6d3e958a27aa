// A question before an action that cannot be undone.

import { call } from "./api.js";
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

/** Make a button that asks, deletes what is at a path of the API, and then calls `done`. */
export function deleteButton(frame, question, path, done) {
  return button(
    question.words,
    () =>
      confirm(frame, question, async () => {
        await call("DELETE", path);
        await done();
      }),
    { kind: "is-danger" },
  );
}
