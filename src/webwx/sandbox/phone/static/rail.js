// The rail: the views of the phone with their counts, and the tools that open beside it.

import { upTo99 } from "./badges.js";
import { fill, h, icon, iconButton, set, soon } from "./dom.js";
import { onLanguage } from "./language.js";
import { live } from "./live.js";
import { PANELS } from "./panels.js";
import { place } from "./place.js";
import { store } from "./store.js";
import { t } from "./words.js";

/** The views: the name in the address, the key of the label, the picture, and the count. */
export const VIEW_BUTTONS = [
  { id: "chats", words: "chats", picture: "chats", count: () => store.unread(), counted: "unread" },
  { id: "contacts", words: "contacts", picture: "contacts", count: () => 0, counted: "" },
  { id: "device", words: "phone", picture: "device", count: () => store.logins.waiting.length, counted: "pending" },
];

export function rail({ goTo }) {
  const title = h("h2", { class: "pane-title", tabindex: "-1" });
  const closeButton = iconButton("close", "", () => show(null));
  const head = h("header", { class: "pane-head" }, title, h("span", { class: "stretch" }), closeButton);
  const aside = h("section", { class: "aside", hidden: true, on: { keydown: leave } });
  const mounted = new Map();
  let open = null; // the open panel
  let opener = null; // what has opened it, if that is not its button here
  const views = VIEW_BUTTONS.map((view) => [view, railButton(view.picture, () => goTo(view.id))]);
  const tools = PANELS.map((panel) => [panel, railButton(panel.picture, () => show(panel === open ? null : panel))]);
  const element = h(
    "nav",
    { class: "rail" },
    views.map(([, { node }]) => node),
    tools.length > 0 && h("span", { class: "rail-gap" }),
    tools.map(([, { node }]) => node),
  );

  /** Open a panel, or close the open one; a closed panel keeps its state. `from` has the focus after that. */
  function show(panel, from = null) {
    const before = opener?.isConnected ? opener : tools.find(([each]) => each === open)?.[1].node;
    open = panel;
    opener = from;
    if (panel && !mounted.has(panel)) {
      const inside = h("div", { class: "panel" });
      mounted.set(panel, inside);
      panel.mount(inside, { live, store, close: () => show(null) });
    }
    if (panel) fill(aside, head, mounted.get(panel));
    aside.hidden = !panel;
    document.body.classList.toggle("has-panel", Boolean(panel));
    update();
    if (!panel) (before?.checkVisibility() ? before : views[0][1].node).focus();
    else if (from) title.focus();
  }

  function leave(event) {
    if (event.key !== "Escape" || event.defaultPrevented || event.target.matches("input")) return;
    event.preventDefault();
    show(null);
  }

  function update() {
    set(element, "aria-label", t("views"));
    for (const [{ id, words, count, counted }, { node, label, badge, meaning }] of views) {
      const waiting = count();
      fill(label, t(words));
      fill(meaning, waiting ? t(counted, { n: waiting }) : "");
      set(node, "aria-current", id === place.view ? "page" : null);
      badge.hidden = !waiting;
      fill(badge, upTo99(waiting));
    }
    for (const [panel, { node, label }] of tools) {
      fill(label, t(panel.words));
      set(node, "aria-pressed", String(panel === open));
    }
    if (open) set(aside, "aria-label", t(open.words));
    fill(title, open ? t(open.words) : "");
    set(closeButton, "aria-label", t("close"));
    set(closeButton, "title", t("close"));
  }

  store.on("rows logins", soon(update));
  place.addEventListener("moved", update);
  onLanguage(update);
  return { element, aside, show, close: () => open && show(null) };
}

function railButton(picture, onClick) {
  const badge = h("span", { class: "badge", "aria-hidden": "true", hidden: true });
  const label = h("span", { class: "rail-label" });
  const meaning = h("span", { class: "hidden" });
  const node = h(
    "button",
    { type: "button", class: "rail-button", on: { click: onClick } },
    h("span", { class: "rail-icon" }, icon(picture), badge),
    label,
    meaning,
  );
  return { node, label, badge, meaning };
}
