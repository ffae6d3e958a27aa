// Elements without markup: text only becomes text nodes, so that no message can be markup.

import { refocus, traceOf } from "./focus.js";

const SVG = "http://www.w3.org/2000/svg";

/** Create an element. `props` are attributes; `on` has listeners, `style` custom properties; false and null are omitted. */
export function h(tag, props = {}, ...children) {
  return furnish(document.createElement(tag), props, children);
}

/** Create an element of a drawing, as `h` does. */
export function svg(tag, props = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), props, children);
}

function furnish(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "style") {
      for (const [property, each] of Object.entries(value)) element.style.setProperty(property, each);
    } else {
      set(element, name, value);
    }
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** Set an attribute, or remove it. */
export function set(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : value);
}

/** Replace the children of an element. */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
}

/** A picture of the page's icons.svg; a text beside it has its meaning. */
export function icon(name) {
  const href = new URL(`icons.svg#${name}`, import.meta.url).href;
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href }));
}

/** A button with a text, and optionally a picture. */
export function button(words, onClick, { picture = null, kind = "", ...props } = {}) {
  return h(
    "button",
    { type: "button", class: `button ${kind}`, on: { click: onClick }, ...props },
    picture && icon(picture),
    words,
  );
}

/** A button with a picture only; its text is for screen readers. */
export function iconButton(picture, words, onClick, props = {}) {
  return h(
    "button",
    { type: "button", class: "icon-button", "aria-label": words, title: words, on: { click: onClick }, ...props },
    icon(picture),
  );
}

const small = matchMedia("(max-width: 760px), (pointer: coarse)");

/** Whether the focus on a field opens an on-screen keyboard, which covers what the user wants to read. */
export function raisesKeyboard() {
  return small.matches;
}

/** Render again; the focus stays on the element with the same text, or at the same position among its siblings. */
export function keepFocus(within, draw) {
  const held = within.contains(document.activeElement) ? traceOf(document.activeElement, within) : null;
  draw();
  if (held) refocus(held);
}

/** Run a function once before the next frame, even if it is requested several times. */
export function soon(act) {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    // A hidden page gets no frames, but its content must still be right.
    const next = document.hidden ? setTimeout : requestAnimationFrame;
    next(() => {
      isAsked = false;
      act();
    });
  };
}
