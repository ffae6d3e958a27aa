// What lies over the page for a moment: dialogs, menus, and sentences that go away.

import { button, fill, h, icon, iconButton } from "./dom.js";
import { Refusal } from "./control.js";
import { t } from "./words.js";

// -- sentences -------------------------------------------------------------------------------------------------------

const said = h("div", { class: "said", role: "status", "aria-live": "polite" });
const refused = h("div", { class: "said is-refusal", role: "alert" });
let saidTimer = 0;

/** Where the sentences stand. */
export const sentences = h("div", { class: "sentences" }, said, refused);

/** Say that something was done. */
export function say(words) {
  show(said, words, 3500);
}

/** Say why something was not done. */
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

/** Do something, and say why not when it is refused. Gives whether it was done. */
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

let dialogs = 0;

/** Open a dialog; `build(close)` gives what is in it. The browser brings the focus back to where it was. */
export function dialog(title, build, { wide = false } = {}) {
  dialogs += 1;
  const heading = h("h2", { id: `dialog-${dialogs}` }, title);
  const element = h("dialog", { class: wide ? "dialog is-wide" : "dialog", "aria-labelledby": heading.id });
  const close = () => element.close();
  element.append(
    h("div", { class: "dialog-head" }, heading, iconButton("close", t("close"), close)),
    h("div", { class: "dialog-body" }, build(close)),
  );
  element.addEventListener("close", () => element.remove());
  element.addEventListener("click", (event) => event.target === element && close());
  document.body.append(element);
  element.showModal();
  element.querySelector("[autofocus]")?.focus();
  return element;
}

/** Ask before something that cannot be taken back; Cancel has the keyboard. */
export function confirmDialog(title, hint, words, doing) {
  return dialog(title, (close) => [
    h("p", { class: "hint" }, hint),
    h(
      "div",
      { class: "dialog-buttons" },
      button(t("cancel"), close, { autofocus: true }),
      button(
        words,
        () => {
          close();
          attempt(doing);
        },
        { kind: "is-danger" },
      ),
    ),
  ]);
}

/** A form in a dialog: `fields` are {name, label, value, type, hint, required}, `submit(values)` is tried. */
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

// -- menus -----------------------------------------------------------------------------------------------------------

/** Open a menu at a button: `items` are {words, picture, act}. Arrows move, Escape and clicks elsewhere close it. */
export function menu(anchor, label, items) {
  const close = (isBack = true) => {
    element.remove();
    document.removeEventListener("pointerdown", away, true);
    anchor.setAttribute("aria-expanded", "false");
    if (isBack) anchor.focus();
  };
  const away = (event) => element.contains(event.target) || close(false);
  const element = h(
    "div",
    { class: "menu", role: "menu", "aria-label": label },
    items.map(({ words, picture, act }) =>
      h(
        "button",
        {
          type: "button",
          class: "menu-item",
          role: "menuitem",
          tabindex: "-1",
          on: {
            click: () => {
              close();
              act();
            },
          },
        },
        picture && icon(picture),
        words,
      ),
    ),
  );
  element.addEventListener("keydown", (event) => {
    const all = [...element.children];
    const at = all.indexOf(document.activeElement);
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
    if (event.key in moves) {
      event.preventDefault();
      all.at(moves[event.key] % all.length).focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  (anchor.closest("dialog, section") ?? document.body).append(element);
  anchor.setAttribute("aria-expanded", "true");
  place(element, anchor.getBoundingClientRect());
  document.addEventListener("pointerdown", away, true);
  element.firstElementChild?.focus();
}

function place(element, at) {
  const { width, height } = element.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, innerWidth - width - 8));
  const top = at.bottom + height + 12 < innerHeight ? at.bottom + 6 : Math.max(8, at.top - height - 6);
  element.style.setProperty("left", `${left}px`);
  element.style.setProperty("top", `${top}px`);
}

// -- emptiness -------------------------------------------------------------------------------------------------------

/** What stands where there is nothing yet, and what to do about it. */
export function empty(picture, title, hint, action = null) {
  return h(
    "div",
    { class: "empty" },
    icon(picture),
    h("p", { class: "empty-title" }, title),
    hint && h("p", { class: "empty-hint" }, hint),
    action,
  );
}
