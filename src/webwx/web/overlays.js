// Dialogs and menus over the page, and the text in an empty list.

import { button, h, icon, iconButton } from "./dom.js";
import { leaveDialog, noteOpener } from "./focus.js";
import { t } from "./shared-words.js";

// -- dialogs ---------------------------------------------------------------------------------------------------------

let dialogs = 0;

/**
 * Open a dialog; `build(close)` returns its content. Escape and a click beside it close it, and the focus returns to what
 * had it before. `kind` is a class: `is-wide`, or `is-side` for a panel at the side of the window.
 */
export function dialog(title, build, { kind = "" } = {}) {
  dialogs += 1;
  const heading = h("h2", { id: `dialog-${dialogs}` }, title);
  const element = h("dialog", { class: `dialog ${kind}`, "aria-labelledby": heading.id });
  const close = () => element.close();
  element.append(
    h("div", { class: "dialog-head" }, heading, iconButton("close", t("close"), close)),
    h("div", { class: "dialog-body" }, build(close)),
  );
  let isPressedBeside = false; // a selection of text may end beside the dialog
  element.addEventListener("pointerdown", (event) => {
    isPressedBeside = event.target === element;
  });
  element.addEventListener("click", (event) => event.target === element && isPressedBeside && close());
  element.addEventListener("close", () => {
    element.remove();
    leaveDialog(element);
  });
  noteOpener(element);
  document.body.append(element);
  element.showModal();
  element.querySelector("[autofocus]")?.focus();
  return element;
}

/**
 * Ask before an action that cannot be undone: `question` is {title, hint, words}, and `act()` is called when the button with
 * `words` is pressed. The focus is on Cancel.
 */
export function ask({ title, hint, words }, act) {
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
          act();
        },
        { kind: "is-danger" },
      ),
    ),
  ]);
}

// -- menus -----------------------------------------------------------------------------------------------------------

/**
 * Open a menu at a button, or at the point `at` for the menu of an element: `items` are {words, picture, act, kind}; false
 * ones are omitted. Arrows move, Escape and outside clicks close it. Then the focus is on `back`.
 */
export function menu(anchor, label, items, { at = null, back = anchor } = {}) {
  const isButton = anchor.hasAttribute("aria-expanded");
  const close = (isBack = true) => {
    element.remove();
    document.removeEventListener("pointerdown", away, true);
    if (isButton) anchor.setAttribute("aria-expanded", "false");
    if (isBack) back.focus();
  };
  const away = (event) => element.contains(event.target) || close(false);
  const element = h(
    "div",
    { class: "menu", role: "menu", "aria-label": label },
    items.filter(Boolean).map(({ words, picture, act, kind = "" }) =>
      h(
        "button",
        {
          type: "button",
          class: `menu-item ${kind}`,
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
  if (isButton) anchor.setAttribute("aria-expanded", "true");
  place(element, at ? new DOMRect(at.x, at.y) : anchor.getBoundingClientRect());
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

// -- empty lists -----------------------------------------------------------------------------------------------------

/** The text in an empty list, with the next step. */
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
