// Elements, made by hand: text becomes text nodes and nothing else, so that no message can be markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element. `props` are attributes; `on` holds listeners, `style` custom properties; false and null are left out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
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

/** Set an attribute, or take it away. */
export function set(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : value);
}

/** Put other children into an element. */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
}

/** One of the pictures in the page's icons.svg; what it means is said by words beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", new URL(`icons.svg#${name}`, import.meta.url).href);
  svg.append(use);
  return svg;
}

/** A button with words, and perhaps a picture. */
export function button(words, onClick, { picture = null, kind = "", ...props } = {}) {
  return h(
    "button",
    { type: "button", class: `button ${kind}`, on: { click: onClick }, ...props },
    picture && icon(picture),
    words,
  );
}

/** A button that shows a picture only; its words are for those who do not see it. */
export function iconButton(picture, words, onClick, props = {}) {
  return h(
    "button",
    { type: "button", class: "icon-button", "aria-label": words, title: words, on: { click: onClick }, ...props },
    icon(picture),
  );
}

const small = matchMedia("(max-width: 760px), (pointer: coarse)");

/** Whether a field with the focus raises a keyboard on the screen, over what one came to read. */
export function raisesKeyboard() {
  return small.matches;
}

/** Draw something anew; what has the focus keeps it, under its words or at its place among its neighbours. */
export function keepFocus(within, draw) {
  const held = within.contains(document.activeElement) ? document.activeElement : null;
  const key = held?.closest("[data-key]")?.dataset.key;
  const neighbours = () => {
    const keyed = [...within.querySelectorAll("[data-key]")].find((part) => part.dataset.key === key);
    return [...(keyed ?? within).querySelectorAll("button, a[href], input, [tabindex='0']")];
  };
  const place = held ? neighbours().indexOf(held) : -1;
  draw();
  if (!held) return;
  const words = (element) => element.getAttribute("aria-label") ?? element.textContent;
  const all = neighbours();
  (all.find((element) => words(element) === words(held)) ?? all[Math.min(place, all.length - 1)])?.focus();
}

/** Do something once before the next picture is drawn, however often it is asked for. */
export function soon(act) {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    // A page that is not looked at draws nothing, and still has to be right.
    const next = document.hidden ? setTimeout : requestAnimationFrame;
    next(() => {
      isAsked = false;
      act();
    });
  };
}
