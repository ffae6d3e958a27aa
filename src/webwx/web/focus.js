// The focus of the keyboard. If the element that has it disappears, the focus moves to what took its place, or to what is
// nearest: it never falls to the body of the page, from which every way begins at the top again.

const PLACES = [
  "button:not(:disabled)",
  "a[href]",
  "input:not(:disabled)",
  "select:not(:disabled)",
  "textarea:not(:disabled)",
  "summary",
  "[tabindex='0']",
].join(", ");

/** The element that was focused when a dialog opened, as a trace, by the dialog. */
const openers = new WeakMap();

let fallback = () => null;

function wordsOf(element) {
  return element.getAttribute("aria-label") ?? element.textContent;
}

function keyOf(element) {
  return element.closest("[data-key]")?.dataset.key;
}

function placesIn(element) {
  return [...element.querySelectorAll(PLACES)];
}

function takesFocus(element) {
  if (!element || element === document.body) return false;
  return element.isConnected && !element.disabled && element.checkVisibility({ visibilityProperty: true });
}

/** Describe where an element is, so that `refocus` finds what takes its place after a change of the page. */
export function traceOf(element, within = document.body) {
  const parents = [];
  for (let parent = element.parentElement; parent && within.contains(parent); parent = parent.parentElement) {
    if (parent === document.body || parent.matches("main, main > *")) break; // the nearest there may be far away
    parents.push({ parent, place: Math.max(0, placesIn(parent).indexOf(element)) });
  }
  const opener = openers.get(element.closest("dialog")) ?? null;
  return { element, key: keyOf(element), words: wordsOf(element), parents, opener };
}

/**
 * Move the focus to the element of a trace; else to one with the same words, or at the same position, in the nearest part
 * of the page that is left; else to what had the focus before the dialog. Returns whether there was such an element.
 */
export function refocus({ element, key, words, parents, opener }) {
  if (takesFocus(element)) return focused(element);
  for (const { parent, place } of parents.filter((each) => each.parent.isConnected)) {
    const all = placesIn(parent).filter(takesFocus);
    const same = all.find((each) => keyOf(each) === key && wordsOf(each) === words);
    if (focused(same ?? all[Math.min(place, all.length - 1)])) return true;
  }
  return opener !== null && refocus(opener);
}

function focused(element) {
  element?.focus();
  return Boolean(element) && document.activeElement === element;
}

/** Note what has the focus when a dialog opens; it gets the focus again after the dialog. */
export function noteOpener(dialog) {
  openers.set(dialog, traceOf(document.activeElement));
}

/** Move the focus from a closed dialog to what had it before. */
export function leaveDialog(dialog) {
  if (takesFocus(document.activeElement)) return;
  const opener = openers.get(dialog);
  if (!opener || !refocus(opener)) fallback()?.focus();
}

/**
 * Keep the focus from the body of the page from now on. `otherwise()` returns the element that gets the focus if nothing
 * near is left, such as the heading. A click beside everything still clears the focus.
 */
export function guardFocus(otherwise) {
  let trace = null;
  fallback = otherwise;
  document.addEventListener("focusin", ({ target }) => {
    trace = target === document.body ? null : traceOf(target);
  });
  document.addEventListener("pointerdown", () => {
    trace = null; // what is pressed gets the focus next, if it takes it
  });
  new MutationObserver((records) => {
    const active = document.activeElement;
    const isHit = active === document.body || records.some(({ target }) => target.contains(active));
    if (trace && isHit && !takesFocus(active) && !refocus(trace)) fallback()?.focus();
  }).observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["disabled", "hidden", "class", "open"],
  });
}
