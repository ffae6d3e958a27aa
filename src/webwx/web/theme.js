// Light or dark: the system's theme, until the user selects the other. A page loads this file before its other scripts, so
// that it has its theme before they make anything, and waits for the browser's storage in a task of its own, not in theirs.

import { stored } from "./browser-storage.js";

const KEY = "webwx.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export function isDark() {
  return (stored.get(KEY) ?? (system.matches ? "dark" : "light")) === "dark";
}

function applyTheme() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
}

/** Switch to the other theme; selecting the system's own follows the system again. */
export function switchTheme() {
  const isWantedDark = !isDark();
  if (isWantedDark === system.matches) stored.remove(KEY);
  else stored.set(KEY, isWantedDark ? "dark" : "light");
  applyTheme();
}

/** Call a function when the system's theme changes. */
export function onSystemTheme(listener) {
  system.addEventListener("change", listener);
}

applyTheme();
onSystemTheme(applyTheme);
