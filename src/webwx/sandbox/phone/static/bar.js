// The bar at the top: the owner of the phone, the clock, the language and the theme; below it, problems.

import { attempt } from "./attempts.js";
import { clockButton } from "./clock.js";
import { act } from "./control.js";
import { button, fill, h, icon, soon } from "./dom.js";
import { brand, languageButton } from "./frame.js";
import { onLanguage } from "./language.js";
import { live } from "./live.js";
import { avatar, personName } from "./names.js";
import { switchPerson } from "./people.js";
import { store } from "./store.js";
import { themeButton } from "./theme-button.js";
import { t } from "./words.js";

export function bar() {
  const title = h("h1", { class: "brand" });
  const person = h("button", {
    type: "button",
    class: "person",
    "aria-haspopup": "dialog",
    on: { click: switchPerson },
  });
  const other = languageButton();
  const theme = themeButton();
  const element = h(
    "header",
    { class: "bar" },
    title,
    person,
    h("span", { class: "stretch" }),
    clockButton(),
    other.element,
    theme.element,
  );

  function update() {
    fill(title, brand(t("sandbox"), t("aboutUnofficial")));
    other.update();
    theme.update();
    showPerson();
  }

  function showPerson() {
    if (!store.who) return;
    const name = personName(store.who);
    fill(
      person,
      avatar(store.who, "is-tiny"),
      h("span", { class: "hidden" }, t("switchPerson")),
      h("span", { class: "person-name" }, name),
      store.login(store.who) && h("span", { class: "dot is-on", title: t("loggedIn") }),
      icon("down"),
    );
  }

  store.on("place people logins contacts", soon(showPerson));
  onLanguage(update);
  return element;
}

/** Problems: the sandbox does not answer, or this phone is offline. */
export function banners() {
  const lost = h("p", { class: "banner", role: "status", hidden: true });
  const words = h("span", {});
  const goOnline = button("", () => attempt(() => act("online", { who: store.who })), { kind: "is-small" });
  const offline = h("div", { class: "banner", role: "status", hidden: true }, icon("offline"), words, goOnline);

  function update() {
    fill(lost, t("lost"));
    fill(words, t("offlineBanner"));
    fill(goOnline, t("goOnline"));
    offline.hidden = !store.person(store.who).offline;
  }

  live.addEventListener("opened", () => {
    lost.hidden = true;
  });
  live.addEventListener("lost", () => {
    lost.hidden = false;
  });
  store.on("place people", soon(update));
  onLanguage(update);
  return [lost, offline];
}
