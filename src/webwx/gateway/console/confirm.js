// A question before an action that cannot be undone.

import { call } from "./api.js";
import { button } from "./dom.js";
import { ask } from "./overlays.js";

/** Ask, and run `doing` as an action of the user when the button with `question.words` is clicked. */
export function confirm(frame, question, doing) {
  ask(question, () => frame.act(doing));
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
