// The page: the bar on top, the rail, the list, the conversation, and the tools.

import { chatsView } from "./chats.js";
import { contactPane, contactsView, showDetails } from "./contacts.js";
import { act } from "./control.js";
import { conversation } from "./conversation.js";
import { deviceView } from "./device.js";
import { button, fill, h, icon, iconButton, set, soon } from "./dom.js";
import { live } from "./live.js";
import { avatar, personName } from "./names.js";
import { attempt, dialog, empty, say, sentences } from "./overlays.js";
import { PANELS } from "./panels.js";
import { switchPerson } from "./people.js";
import { place } from "./place.js";
import { store } from "./store.js";
import { duration, firstLanguage, language, onLanguage, setLanguage, t, timeOfDay } from "./words.js";

// -- light and dark --------------------------------------------------------------------------------------------------

const systemDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return (localStorage.getItem("webwx.theme") ?? (systemDark.matches ? "dark" : "light")) === "dark";
}

function applyTheme() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
}

const narrow = matchMedia("(max-width: 760px)");

function isNarrow() {
  return narrow.matches;
}

// -- the clock -------------------------------------------------------------------------------------------------------

function windClock() {
  dialog(t("windClock"), (close) => {
    const seconds = h("input", {
      class: "input",
      id: "field-seconds",
      type: "number",
      min: "0",
      step: "any",
      value: "121",
    });
    const wind = async (by) => {
      if (!(await attempt(() => act("wind", { seconds: by })))) return;
      close();
      say(t("wound", { time: duration(by) }));
    };
    const form = h(
      "form",
      { class: "wind-form" },
      h("label", { for: seconds.id }, t("secondsForward")),
      seconds,
      h("button", { class: "button is-main", type: "submit" }, t("wind")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      wind(seconds.valueAsNumber || 0);
    });
    return [
      h("p", { class: "hint" }, t("windHint")),
      !store.clock.runs && h("p", { class: "hint" }, t("standsStill")),
      h(
        "div",
        { class: "buttons" },
        [30, 121, 301, 3600, 86_400].map((by) =>
          button(t("windBy", { time: duration(by) }), () => wind(by), { autofocus: by === 30 }),
        ),
      ),
      form,
    ];
  });
}

// -- the parts -------------------------------------------------------------------------------------------------------

const views = { chats: chatsView(), contacts: contactsView(), device: deviceView() };
const talk = conversation({ showDetails });
const contact = contactPane();
const nothing = h("section", { class: "pane nothing" });
const openPanels = new Map();

const person = h("button", { type: "button", class: "person", "aria-haspopup": "dialog", on: { click: switchPerson } });
const clock = h("button", { type: "button", class: "chip clock", "aria-haspopup": "dialog", on: { click: windClock } });
const languageButton = h("button", {
  type: "button",
  class: "chip",
  on: { click: () => setLanguage(language() === "en" ? "zh" : "en") },
});
const themeButton = iconButton("moon", "", () => {
  const wanted = isDark() ? "light" : "dark";
  // Who chooses what the system has follows it again.
  if ((wanted === "dark") === systemDark.matches) localStorage.removeItem("webwx.theme");
  else localStorage.setItem("webwx.theme", wanted);
  applyTheme();
  labels();
});
const brand = h("p", { class: "brand" });
const lost = h("p", { class: "lost", role: "status", hidden: true });
const offlineWords = h("span", {});
const goOnline = button("", () => attempt(() => act("online", { who: store.who })), { kind: "is-small" });
const offline = h(
  "div",
  { class: "offline-banner", role: "status", hidden: true },
  icon("offline"),
  offlineWords,
  goOnline,
);
const rail = h("nav", { class: "rail" });
const list = h("section", { class: "list-pane" });
const listTitle = h("h1", { class: "list-title" });
const listBody = h("div", { class: "list-holder" });
const main = h("main", { class: "main", id: "main", tabindex: "-1" });
const aside = h("aside", { class: "aside", hidden: true });
const skip = h("a", { class: "skip", href: "#main" });
skip.addEventListener("click", (event) => {
  event.preventDefault();
  (main.querySelector("textarea, button") ?? main).focus();
});

list.append(listTitle, listBody);
document.body.append(
  skip,
  h("header", { class: "bar" }, brand, person, h("span", { class: "stretch" }), clock, languageButton, themeButton),
  lost,
  offline,
  h("div", { class: "stage" }, rail, list, main, aside),
  sentences,
);

let isPlaced = false;
const railButtons = new Map();
const RAIL = [
  ["chats", "chats", "chats"],
  ["contacts", "contacts", "contacts"],
  ["device", "phone", "device"],
];
for (const [id, words, picture] of RAIL) rail.append(railButton(id, words, picture, () => goTo(id)));
if (PANELS.length)
  rail.append(
    h("span", { class: "rail-gap" }),
    ...PANELS.map((panel) => railButton(panel.id, panel.words, panel.picture, () => togglePanel(panel))),
  );

function railButton(id, words, picture, onClick) {
  const badge = h("span", { class: "badge", hidden: true });
  const label = h("span", { class: "rail-label" });
  const element = h(
    "button",
    { type: "button", class: "rail-button", on: { click: onClick } },
    h("span", { class: "rail-icon" }, icon(picture), badge),
    label,
  );
  railButtons.set(id, { element, badge, label, words });
  return element;
}

function goTo(view) {
  closePanelWhenNarrow();
  place.go({ view, contact: "", chat: isNarrow() ? "" : store.chat });
}

// -- panels ----------------------------------------------------------------------------------------------------------

function togglePanel(panel) {
  const isOpen = !aside.hidden && aside.dataset.panel === panel.id;
  if (isOpen) {
    aside.hidden = true;
  } else {
    if (!openPanels.has(panel.id)) {
      const element = h("div", { class: "panel" });
      panel.mount(element, { live, store });
      openPanels.set(panel.id, element);
    }
    aside.dataset.panel = panel.id;
    set(aside, "aria-label", t(panel.words));
    fill(
      aside,
      h(
        "header",
        { class: "pane-head" },
        h("h2", { class: "pane-title" }, t(panel.words)),
        h("span", { class: "stretch" }),
        iconButton("close", t("close"), () => togglePanel(panel)),
      ),
      openPanels.get(panel.id),
    );
    aside.hidden = false;
  }
  document.body.classList.toggle("has-panel", !aside.hidden);
  labels();
  if (isOpen) railButtons.get(panel.id).element.focus();
}

function closePanelWhenNarrow() {
  if (aside.hidden || !isNarrow()) return;
  togglePanel(PANELS.find((panel) => panel.id === aside.dataset.panel));
}

// -- what is where ---------------------------------------------------------------------------------------------------

function arrange() {
  const view = views[place.view];
  if (listBody.firstElementChild !== view.element) fill(listBody, view.element);
  view.update();
  let pane = nothing;
  if (place.contact) pane = contact.element;
  else if (store.chat) pane = talk.element;
  if (main.firstElementChild !== pane) fill(main, pane);
  if (pane === talk.element) {
    talk.update();
    talk.readIfUnread();
  }
  if (pane === contact.element) contact.update();
  document.body.classList.toggle("is-in", pane !== nothing);
  labels();
}

function labels() {
  fill(
    brand,
    h("span", {}, h("b", {}, "webwx"), ` ${t("sandbox")}`),
    h("span", { class: "tag", title: t("aboutUnofficial") }, t("unofficial")),
  );
  const who = store.who ? personName(store.who) : "";
  set(person, "aria-label", t("switchPerson", { name: who }));
  if (store.who)
    fill(
      person,
      avatar(store.who, "is-tiny"),
      h("span", { class: "person-name" }, who),
      store.login(store.who) && h("span", { class: "dot is-on", title: t("loggedIn") }),
      icon("down"),
    );
  fill(languageButton, t("language"));
  set(languageButton, "lang", language() === "en" ? "zh-CN" : "en");
  set(themeButton, "aria-label", t(isDark() ? "toLight" : "toDark"));
  set(themeButton, "title", t(isDark() ? "toLight" : "toDark"));
  fill(themeButton, icon(isDark() ? "sun" : "moon"));
  fill(listTitle, t(RAIL.find(([id]) => id === place.view)[1]));
  set(list, "aria-label", who ? t("phoneOf", { name: who }) : null);
  set(rail, "aria-label", t("views"));
  fill(lost, t("lost"));
  fill(skip, t("skip"));
  fill(nothing, empty("chats", t("noChatOpen"), t("noChatOpenHint")), h("p", { class: "about" }, t("aboutUnofficial")));
  set(nothing, "aria-label", t("noChatOpen"));
  const unread = store.unread();
  const waiting = store.logins.waiting.length;
  for (const [id, { element, badge, label, words }] of railButtons) {
    const count = id === "chats" ? unread : id === "device" ? waiting : 0;
    fill(label, t(words));
    set(
      element,
      "aria-label",
      [t(words), count > 0 && t(id === "chats" ? "unread" : "pending", { n: count })].filter(Boolean).join(", "),
    );
    const isPanel = PANELS.some((panel) => panel.id === id);
    set(element, "aria-current", !isPanel && id === place.view ? "page" : null);
    set(element, "aria-pressed", isPanel ? String(!aside.hidden && aside.dataset.panel === id) : null);
    badge.hidden = !count;
    fill(badge, count > 99 ? "99+" : String(count));
  }
  offline.hidden = !store.person(store.who).offline;
  fill(offlineWords, t("offlineBanner"));
  fill(goOnline, t("goOnline"));
  document.title = `${unread ? `(${unread}) ` : ""}${who ? `${t("phoneOf", { name: who })} · ` : ""}webwx sandbox`;
}

const toldOf = new Set();

/** Say that a login waits, unless a sandbox that confirms by itself has taken it meanwhile. */
function tellOfLogins() {
  for (const { uuid } of store.logins.waiting) {
    if (toldOf.has(uuid)) continue;
    toldOf.add(uuid);
    setTimeout(() => {
      const waits = store.logins.waiting.some((login) => login.uuid === uuid && login.stage !== "confirmed");
      if (waits && place.view !== "device") say(t("loginWaits"));
    }, 1500);
  }
}

function showTime() {
  const time = timeOfDay(store.now(), true);
  set(clock, "aria-label", t("clock", { time }));
  fill(clock, icon("clock"), h("span", { class: "clock-time" }, time));
}

/** In a narrow window the part that was left is hidden, and the keyboard with it. */
function isFocusLost() {
  return (
    isPlaced && isNarrow() && (document.activeElement === document.body || !document.activeElement.checkVisibility())
  );
}

function keepKeyboard() {
  if (document.body.classList.contains("is-in")) main.querySelector("button:not([hidden])")?.focus();
  else views[place.view].focus();
}

// -- keys that work everywhere ---------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (main.contains(document.activeElement) && (store.chat || place.contact)) {
      if (isNarrow()) place.go({ chat: "", contact: "" });
      views[place.view].focus();
    }
  } else if (event.altKey && ["Digit1", "Digit2", "Digit3"].includes(event.code)) {
    event.preventDefault();
    goTo(RAIL[Number(event.code.slice(-1)) - 1][0]);
    views[place.view].focus();
  }
});

// -- beginning -------------------------------------------------------------------------------------------------------

store.on("people", () => {
  if (!isPlaced || !store.people.has(store.who)) {
    isPlaced = true;
    place.follow();
  }
});
store.on("rows people logins contacts", soon(labels));
store.on("clock", showTime);
store.on("logins", tellOfLogins);
place.addEventListener("moved", arrange);
place.addEventListener("moved", ({ detail }) => {
  if (detail.isOtherChat && place.view === "chats" && store.chat) talk.focus();
  else if (isFocusLost()) keepKeyboard();
});
addEventListener("popstate", () => place.follow());
systemDark.addEventListener("change", () => {
  applyTheme();
  labels();
});
live.addEventListener("opened", () => {
  lost.hidden = true;
});
live.addEventListener("lost", () => {
  lost.hidden = false;
});
onLanguage(() => {
  arrange();
  showTime();
  if (store.chat) talk.renew();
});
setInterval(showTime, 1000);
applyTheme();
store.start();
setLanguage(firstLanguage());
live.connect();
