// The page: its layout, and the keys that work everywhere.

import { say, sentences } from "./attempts.js";
import { banners, bar } from "./bar.js";
import { chatsView } from "./chats.js";
import { contactPane, contactsView, detailsPanel } from "./contacts.js";
import { conversation } from "./conversation.js";
import { devicePane } from "./device.js";
import { fill, h, raisesKeyboard, set, soon } from "./dom.js";
import { guardFocus } from "./focus.js";
import { firstLanguage, onLanguage, setLanguage } from "./language.js";
import { live } from "./live.js";
import { personName } from "./names.js";
import { empty } from "./overlays.js";
import { place } from "./place.js";
import { rail, VIEW_BUTTONS } from "./rail.js";
import { store } from "./store.js";
import { t } from "./words.js";

const narrow = matchMedia("(max-width: 760px)");

/** The views in the list; that of the phone itself stands in the place of a conversation. */
const views = { chats: chatsView(), contacts: contactsView() };
const device = devicePane();
const talk = conversation({ showDetails });
const contact = contactPane();
const nothing = h("section", { class: "pane nothing" });

const side = rail({ goTo });
const listTitle = h("h2", { class: "list-title" });
const listBody = h("div", { class: "list-holder" });
const list = h("section", { class: "list-pane" }, listTitle, listBody);
const opened = h("div", { class: "opened", id: "opened", tabindex: "-1" });
const skip = h("a", { class: "skip", href: "#opened", on: { click: skipToOpened } });

document.body.append(
  skip,
  bar(),
  ...banners(),
  h("div", { class: "stage" }, side.element, h("main", { class: "phone" }, list, opened, side.aside)),
  sentences,
);

/** Show a person or a chatroom in the panel beside the conversation. */
function showDetails(id) {
  side.show(detailsPanel, document.activeElement);
  detailsPanel.show(id);
}

// -- layout ----------------------------------------------------------------------------------------------------------

function goTo(view) {
  if (narrow.matches) side.close();
  place.go({ view, contact: "", chat: narrow.matches ? "" : store.chat });
}

function arrange() {
  const isDevice = place.view === "device";
  const view = views[place.view] ?? views.chats;
  const pane = openPane();
  // The classes come first: they restyle the page, which some of what follows measures.
  document.body.classList.toggle("is-in", pane.element !== nothing && !isDevice);
  document.body.classList.toggle("is-device", isDevice);
  if (listBody.firstElementChild !== view.element) {
    fill(listBody, view.element);
    view.update();
  } else {
    updateView();
  }
  if (opened.firstElementChild !== pane.element) fill(opened, pane.element);
  pane.update();
  if (pane === talk) talk.readIfUnread();
  fill(listTitle, t(isDevice ? "chats" : place.view));
  fill(skip, t("skip"));
  entitle();
}

/** Update the view in the list in a task of its own, because a change of chat has enough to do in its task. */
const updateView = soon(() => (views[place.view] ?? views.chats).update());

function openPane() {
  if (place.view === "device") return device;
  if (place.contact) return contact;
  return store.chat ? talk : { element: nothing, update: showNothing };
}

function focusView() {
  if (place.view === "device") device.focus();
  else views[place.view].focus();
}

function showNothing() {
  const [picture, title] = place.view === "contacts" ? ["contacts", "noContactOpen"] : ["chats", "noChatOpen"];
  set(nothing, "aria-label", t(title));
  fill(nothing, empty(picture, t(title), t(`${title}Hint`)), h("p", { class: "about" }, t("aboutUnofficial")));
}

function entitle() {
  const whose = store.who ? t("phoneOf", { name: personName(store.who) }) : "";
  const unread = store.unread();
  set(list, "aria-label", whose);
  document.title = [unread && `(${unread})`, whose && `${whose} ·`, "webwx sandbox"].filter(Boolean).join(" ");
}

// -- focus -----------------------------------------------------------------------------------------------------------

function skipToOpened(event) {
  event.preventDefault();
  (opened.querySelector("textarea, button") ?? opened).focus();
}

function keepKeyboard({ detail }) {
  if (detail.message) talk.show(detail.message);
  else if (detail.isToWrite && place.view === "chats" && store.chat && !raisesKeyboard()) talk.focus();
  else if (narrow.matches && !document.activeElement.checkVisibility()) goOn();
  else if (narrow.matches && document.activeElement === document.body && !detail.isFirst) goOn();
}

/** In a narrow window the part with the focus may be hidden; then the focus moves to the visible part. */
function goOn() {
  if (document.body.classList.contains("is-in")) opened.querySelector("button:not([hidden])")?.focus();
  else focusView();
}

function press(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && opened.contains(document.activeElement) && openPane().element !== nothing) {
    if (narrow.matches && place.view === "device") return;
    if (narrow.matches) place.go({ chat: "", contact: "" });
    (views[place.view] ?? views.chats).focus();
  } else if (event.altKey && /^Digit[123]$/.test(event.code)) {
    event.preventDefault();
    goTo(VIEW_BUTTONS[Number(event.code.slice(-1)) - 1].id);
    focusView();
  }
}

// -- waiting logins --------------------------------------------------------------------------------------------------

const saidOf = new Set();

/** Show that a login waits, unless a sandbox with auto-confirm has confirmed it. */
function sayLogins() {
  for (const { uuid } of store.logins.waiting) {
    if (saidOf.has(uuid)) continue;
    saidOf.add(uuid);
    setTimeout(() => {
      const waits = store.logins.waiting.some((login) => login.uuid === uuid && login.stage !== "confirmed");
      if (waits && place.view !== "device") say(t("loginWaits"));
    }, 1500);
  }
}

// -- start -----------------------------------------------------------------------------------------------------------

store.on("people", () => store.people.has(store.who) || place.follow());
store.on("rows people contacts", soon(entitle));
store.on("logins", sayLogins);
place.addEventListener("moved", arrange);
place.addEventListener("moved", keepKeyboard);
addEventListener("popstate", () => place.follow());
document.addEventListener("keydown", press);
guardFocus(() => (narrow.matches ? document : list).querySelector(".row[tabindex='0'], button"));
onLanguage(() => {
  arrange();
  if (store.chat) talk.renew();
});
store.start();
setLanguage(firstLanguage());
live.connect();
