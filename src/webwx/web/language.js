// The language of the page, and words in it.

const KEY = "webwx.language";

const listeners = [];
let index = 0;

/** Return the function that finds words in tables by their key; of an unknown key, the key. `{name}` is filled in. */
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
  localStorage.setItem(KEY, language());
  for (const listener of listeners) listener();
}

/** Call back when the language changes. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** As was chosen here before, else as the browser wants. */
export function firstLanguage() {
  return localStorage.getItem(KEY) ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
}
