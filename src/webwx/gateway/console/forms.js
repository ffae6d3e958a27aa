// Fields with labels, and the panels at the side that create and change things.

import { Problem } from "./api.js";
import { button, fill, h, set } from "./dom.js";
import { dialog } from "./overlays.js";
import { explained } from "./states.js";
import { t } from "./words.js";

let fields = 0;

/**
 * Make a control with its label above it, an optional hint below, and the place of its error. `name` is the path of the
 * field in the request, such as `settings.host`, by which the gateway names it in its errors.
 */
export function field(label, control, hint = null, name = "") {
  const error = errorPlace([control], name);
  control.id = `field-${fields}`;
  const note = hint && h("p", { class: "hint", id: `${control.id}-hint` }, hint);
  if (note) describe(control, note);
  return h("div", { class: "field has-error-place" }, h("label", { for: control.id }, label), control, error, note);
}

/** Make the place of the error of some controls, which are one field of the request. */
function errorPlace(controls, name) {
  fields += 1;
  const error = h("p", { class: "field-error", id: `field-${fields}-error`, role: "alert" });
  for (const control of controls) {
    if (name) control.dataset.name = name;
    describe(control, error);
  }
  return error;
}

function describe(control, by) {
  control.setAttribute("aria-describedby", [control.getAttribute("aria-describedby"), by.id].filter(Boolean).join(" "));
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

/** Make a checkbox with its words beside it, and the place of its error; `name` as for `field`. */
export function tick(words, isTicked, name) {
  const { box, label } = checkbox(words, isTicked);
  const element = h("div", { class: "has-error-place" }, label, errorPlace([box], name));
  return { element, isTicked: () => box.checked };
}

/**
 * Make checkboxes from [value, words]; `values()` returns the values of the checked ones. With `isRequired` a form needs at
 * least one of them.
 */
export function ticks(legend, options, ticked, name, { isRequired = false } = {}) {
  const all = options.map(([value, words]) => ({ value, ...checkbox(words, ticked.includes(value)) }));
  const check = () => all[0].box.setCustomValidity(all.some(({ box }) => box.checked) ? "" : t("tickOne"));
  if (isRequired) {
    for (const { box } of all) box.addEventListener("change", check);
    check();
  }
  return {
    element: group(legend, all.map(({ label }) => label), all.map(({ box }) => box), name),
    values: () => all.filter(({ box }) => box.checked).map(({ value }) => value),
  };
}

/** Group the elements of checkboxes below a legend, with the place of their error; `name` as for `field`. */
export function group(legend, elements, boxes, name) {
  return h("fieldset", { class: "has-error-place" }, h("legend", {}, legend), elements, errorPlace(boxes, name));
}

function checkbox(words, isTicked) {
  const box = h("input", { type: "checkbox", checked: isTicked });
  return { box, label: h("label", { class: "tick" }, box, words) };
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
 * `submit()` makes the request; a failure is shown beside the field that it names, else above the buttons, and the panel
 * stays open. After a success the panel closes, and `done(answer)` is called.
 */
export function formPanel(frame, title, words, { fields: shown, more = [], isChange = false }, submit, done) {
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
          } else if (!showRefusal(form, error)) {
            fill(alert, explained(error));
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

/** Show an error below a control: a text, or elements; an empty text removes it. */
export function showError(control, words) {
  const field = control.closest(".has-error-place");
  if (!field) return;
  fill(field.querySelector(".field-error"), words);
  for (const other of field.querySelectorAll("[aria-invalid]")) set(other, "aria-invalid", null);
  if (words) set(control, "aria-invalid", "true");
}

/** Check the fields of a form: show what is wrong with each, and move the focus to the first. Returns whether all are right. */
export function isComplete(form) {
  const wrong = [...form.elements].filter((control) => control.willValidate && !control.validity.valid);
  for (const control of wrong) showError(control, control.validity.valueMissing ? t("required") : control.validationMessage);
  if (wrong.length > 0) reveal(wrong[0]);
  return wrong.length === 0;
}

/**
 * Show why a request was refused beside the field that the error names, and move the focus there. Returns false if it names
 * no field of the form.
 */
export function showRefusal(form, error) {
  const control = controlOf(form, error.field ?? "");
  if (!control) return false;
  showError(control, explained(error));
  reveal(control);
  return true;
}

/** Return the control of the field with a path, or of the nearest one above it, such as `options` for `options.host`. */
function controlOf(form, path) {
  const controls = [...form.elements].filter((each) => each.dataset.name && !each.matches(":disabled, [hidden] *"));
  const parts = path.split(".");
  for (let count = parts.length; count > 0; count -= 1) {
    const name = parts.slice(0, count).join(".");
    const found = controls.find(({ dataset }) => dataset.name === name);
    if (found) return found;
  }
  return null;
}

function reveal(control) {
  const closed = control.closest("details:not([open])");
  if (closed) closed.open = true;
  control.focus();
}
