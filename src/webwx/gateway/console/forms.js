// Fields with labels, and the panels at the side that create and change things.

import { Problem } from "./api.js";
import { button, fill, h, set } from "./dom.js";
import { dialog } from "./overlays.js";
import { sentence } from "./states.js";
import { t } from "./words.js";

let fields = 0;

/**
 * Make a control with its label above it, an optional hint below, and the place of its error. `name` is that of the field
 * in the request, by which the gateway names it in its errors.
 */
export function field(label, control, hint = null, name = "") {
  fields += 1;
  control.id = `field-${fields}`;
  if (name) control.dataset.name = name;
  const note = hint && h("p", { class: "hint", id: `${control.id}-hint` }, hint);
  const error = h("p", { class: "field-error", id: `${control.id}-error`, role: "alert" });
  control.setAttribute("aria-describedby", note ? `${error.id} ${note.id}` : error.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, error, note);
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

/**
 * Open a panel at the side with a form: `fields` are always shown, `more` on demand, or if `isChange`, because what is
 * changed may be any of them. The buttons stay in view.
 * `submit()` makes the request; a failure is shown beside the field that it is about, else above the buttons, and the panel
 * stays open; one without a field is about the control `main`. After a success the panel closes, and `done(answer)` is
 * called.
 */
export function formPanel(frame, title, words, { fields: shown, more = [], main = null, isChange = false }, submit, done) {
  dialog(
    title,
    (close) => {
      const alert = h("p", { class: "alert", role: "alert" });
      const send = h("button", { class: "button is-main" }, words);
      const rest = [more].flat(Infinity).filter(Boolean);
      const form = h(
        "form",
        { class: "panel-form", novalidate: true },
        h(
          "div",
          { class: "panel-fields form" },
          shown,
          rest.length > 0 && h("details", { class: "more-fields", open: isChange }, h("summary", {}, t("moreFields")), h("div", { class: "form" }, rest)),
        ),
        h("div", { class: "panel-foot" }, alert, h("div", { class: "dialog-buttons" }, button(t("cancel"), close), send)),
      );
      let isBusy = false; // the button stays enabled, because a disabled one loses the focus
      form.addEventListener("input", ({ target }) => showError(target, ""));
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        fill(alert);
        if (isBusy || !isComplete(form)) return;
        isBusy = true;
        set(send, "aria-disabled", "true");
        try {
          const answer = await submit();
          close();
          done(answer);
        } catch (error) {
          if (error instanceof Problem && error.status === 401) {
            close();
            frame.act(() => Promise.reject(error));
          } else if (!showErrors(form, error, main)) {
            fill(alert, sentence(error));
          }
        } finally {
          isBusy = false;
          set(send, "aria-disabled", null);
        }
      });
      return form;
    },
    { kind: "is-side" },
  );
}

/** Open a panel at the side that shows what was made, such as a secret to copy. */
export function resultPanel(title, hint, content) {
  dialog(
    title,
    (close) => [
      h("div", { class: "panel-fields form" }, h("p", { class: "hint" }, hint), content),
      h(
        "div",
        { class: "panel-foot dialog-buttons" },
        button(t("finished"), close, { kind: "is-main", autofocus: true }),
      ),
    ],
    { kind: "is-side" },
  );
}

// -- errors of fields ------------------------------------------------------------------------------------------------

/** Show an error below a control; an empty text removes it. */
export function showError(control, words) {
  const place = control.closest(".field")?.querySelector(".field-error");
  if (!place) return false;
  fill(place, words);
  set(control, "aria-invalid", words ? "true" : null);
  return true;
}

/** Check the fields of a form: show what is wrong with each, and move the focus to the first. Returns whether all are right. */
export function isComplete(form) {
  const wrong = [...form.elements].filter((control) => control.willValidate && !control.validity.valid);
  for (const control of wrong) showError(control, control.validity.valueMissing ? t("required") : control.validationMessage);
  if (wrong.length > 0) reveal(wrong[0]);
  return wrong.length === 0;
}

/** Show the errors of a refused request beside their fields; returns false if one has no field here. */
function showErrors(form, error, main) {
  const errors = (error.errors ?? []).map((each) => each.split(/: (.*)/s));
  const found = errors.map(([name, words]) => [[...form.elements].find((each) => each.dataset.name === name), words]);
  const named = [...form.elements].find(({ dataset }) => dataset.name && sentence(error).includes(`'${dataset.name}'`));
  if (found.length === 0 && (named ?? main)) found.push([named ?? main, sentence(error)]);
  if (found.length === 0 || found.some(([control]) => !control)) return false;
  for (const [control, words] of found) showError(control, words);
  reveal(found[0][0]);
  return true;
}

function reveal(control) {
  const closed = control.closest("details:not([open])");
  if (closed) closed.open = true;
  control.focus();
}
