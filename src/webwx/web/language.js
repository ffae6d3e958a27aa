// The language of the page, and its texts.

import { stored } from "./browser-storage.js";

const KEY = "webwx.language";

const listeners = [];
let index = 0;

/** Return a function that finds texts in tables by their key; an unknown key is its own text. `{name}` is replaced. */
export function wording(...tables) {
  return (key, values = {}) => {
    const found = tables.find((table) => key in table)?.[key];
    if (!found) return key;
    return found[index].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
}

export function language() {
  return index ? "zh" : "en";
}

export function setLanguage(wanted) {
  index = wanted === "zh" ? 1 : 0;
  document.documentElement.lang = index ? "zh-CN" : "en";
  stored.set(KEY, language());
  for (const listener of listeners) listener();
}

/** Call a function when the language changes. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** The language that was selected here before, or that of the browser. */
export function firstLanguage() {
  return stored.get(KEY) ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
}
