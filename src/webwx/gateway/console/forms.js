// Fields with labels, and dialogs with a form.

import { Problem } from "./api.js";
import { button, fill, h } from "./dom.js";
import { dialog } from "./overlays.js";
import { sentence } from "./states.js";
import { t } from "./words.js";

let fields = 0;

/** Make a control with its label above it, and an optional hint below. */
export function field(label, control, hint = null) {
  fields += 1;
  control.id = `field-${fields}`;
  const note = hint && h("p", { class: "hint", id: `${control.id}-hint` }, hint);
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, note);
}

export function textInput(value, props = {}) {
  const control = h("input", { class: "input", autocomplete: "off", ...props });
  control.value = value;
  return control;
}

/** Make a list to select from [value, words]. */
export function choice(options, chosen) {
  return h(
    "select",
    { class: "input" },
    options.map(([value, words]) => h("option", { value, selected: String(value) === String(chosen) }, words)),
  );
}

/** Make a checkbox with its words beside it. */
export function tick(words, isTicked) {
  const box = h("input", { type: "checkbox", checked: isTicked });
  return { element: h("label", { class: "tick" }, box, words), isTicked: () => box.checked };
}

/** Make checkboxes from [value, words]; `values()` returns the values of the checked ones. */
export function ticks(legend, options, ticked) {
  const boxes = options.map(([value, words]) => ({ value, ...tick(words, ticked.includes(value)) }));
  return {
    element: h("fieldset", {}, h("legend", {}, legend), boxes.map((box) => box.element)),
    values: () => boxes.filter((box) => box.isTicked()).map((box) => box.value),
  };
}

/** Return the parts of a text, which are separated by commas or line breaks. */
export function partsOf(text) {
  return text
    .split(/[\n,，、]/)
    .map((part) => part.trim())
    .filter(Boolean);
}

/** Open a dialog with a form, which calls `submit`; after a failure the dialog shows the error and stays open. */
export function formDialog(frame, title, words, content, submit) {
  dialog(title, (close) => {
    const alert = h("p", { class: "alert", role: "alert" });
    const done = h("button", { class: "button is-main" }, words);
    const form = h(
      "form",
      { class: "form" },
      content,
      alert,
      h("div", { class: "dialog-buttons" }, button(t("cancel"), close), done),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      fill(alert);
      done.disabled = true;
      try {
        await submit();
        close();
      } catch (error) {
        if (error instanceof Problem && error.status === 401) {
          close();
          frame.act(() => Promise.reject(error));
        } else {
          fill(alert, sentence(error));
        }
      } finally {
        done.disabled = false;
      }
    });
    return form;
  });
}
