// The button that switches between light and dark, the same on both pages.

import { fill, icon, iconButton, set } from "./dom.js";
import { t } from "./shared-words.js";
import { isDark, onSystemTheme, switchTheme } from "./theme.js";

/** Return the button's element, and `update()` for a change of the language. */
export function themeButton() {
  const element = iconButton("moon", "", () => {
    switchTheme();
    update();
  });

  function update() {
    const wanted = t(isDark() ? "toLight" : "toDark");
    set(element, "aria-label", wanted);
    set(element, "title", wanted);
    fill(element, icon(isDark() ? "sun" : "moon"));
  }

  update();
  onSystemTheme(update);
  return { element, update };
}
