// Messages that disappear after some seconds, and dialogs for actions that may be refused.

import { button, fill, h } from "./dom.js";
import { Refusal } from "./control.js";
import { ask, dialog } from "./overlays.js";
import { t } from "./words.js";

// -- messages --------------------------------------------------------------------------------------------------------

const said = h("div", { class: "said", role: "status", "aria-live": "polite" });
const refused = h("div", { class: "said is-refusal", role: "alert" });
let saidTimer = 0;

/** The element that holds the messages. */
export const sentences = h("div", { class: "sentences" }, said, refused);

/** Show that an action succeeded. */
export function say(words) {
  show(said, words, 3500);
}

/** Show why an action failed. */
export function refuse(words) {
  show(refused, words, 7000);
}

function show(where, words, milliseconds) {
  clearTimeout(saidTimer);
  fill(said);
  fill(refused);
  fill(where, words);
  saidTimer = setTimeout(() => fill(where), milliseconds);
}

/** Run an action, and show the reason when it is refused. Returns whether it succeeded. */
export async function attempt(doing) {
  try {
    await doing();
    return true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refuse(error.message);
    return false;
  }
}

// -- dialogs ---------------------------------------------------------------------------------------------------------

/** Ask before an action that cannot be undone; the focus is on Cancel. */
export function confirmDialog(title, hint, words, doing) {
  return ask({ title, hint, words }, () => attempt(doing));
}

/** A form in a dialog: `fields` are {name, label, value, type, hint, required}; `submit(values)` is run as an attempt. */
export function formDialog(title, fields, action, submit, hint = "") {
  return dialog(title, (close) => {
    const inputs = fields.map((field, index) => [
      field,
      h("input", {
        class: "input",
        id: `field-${field.name}`,
        name: field.name,
        type: field.type ?? "text",
        value: field.value ?? "",
        step: "any",
        placeholder: field.hint ?? "",
        required: field.required ?? false,
        autofocus: index === 0,
        autocomplete: "off",
      }),
    ]);
    const form = h(
      "form",
      { class: "form" },
      hint && h("p", { class: "hint" }, hint),
      inputs.map(([field, input]) => h("div", { class: "field" }, h("label", { for: input.id }, field.label), input)),
      h(
        "div",
        { class: "dialog-buttons" },
        button(t("cancel"), close),
        h("button", { class: "button is-main", type: "submit" }, action),
      ),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const values = Object.fromEntries(
        inputs.map(([field, input]) => [
          field.name,
          field.type === "number" ? input.valueAsNumber : input.value.trim(),
        ]),
      );
      if (await attempt(() => submit(values))) close();
    });
    return form;
  });
}
