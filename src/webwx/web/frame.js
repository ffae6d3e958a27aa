// The bar at the top of both pages: what this is, and the buttons for the language and the theme.

import { fill, h, set } from "./dom.js";
import { language, setLanguage } from "./language.js";
import { t } from "./shared-words.js";

/** The product, the name of the page, and a mark with the notice `about`. */
export function brand(name, about) {
  return [
    h("span", {}, h("b", {}, "webwx"), ` ${name}`),
    h("span", { class: "tag", title: about }, t("unofficial")),
  ];
}

/** Return the button that switches the language, and `update()` for a change of it. */
export function languageButton() {
  const element = h("button", {
    type: "button",
    class: "chip",
    on: { click: () => setLanguage(language() === "en" ? "zh" : "en") },
  });

  function update() {
    fill(element, t("language"));
    set(element, "lang", language() === "en" ? "zh-CN" : "en");
  }

  update();
  return { element, update };
}
