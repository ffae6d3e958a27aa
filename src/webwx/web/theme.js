// Light or dark: as the system is, until somebody chooses the other.

const KEY = "webwx.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export function isDark() {
  return (localStorage.getItem(KEY) ?? (system.matches ? "dark" : "light")) === "dark";
}

export function applyTheme() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
}

/** Change to the other; who chooses what the system has follows it again. */
export function switchTheme() {
  const isWantedDark = !isDark();
  if (isWantedDark === system.matches) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, isWantedDark ? "dark" : "light");
  applyTheme();
}

/** Call back when the system changes. */
export function onSystemTheme(listener) {
  system.addEventListener("change", listener);
}
