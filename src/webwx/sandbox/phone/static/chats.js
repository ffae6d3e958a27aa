// The list of chats on the phone that is looked at.

import { button, fill, h, icon, soon } from "./dom.js";
import { avatar, chatName, FILEHELPER, isRoom, personName } from "./names.js";
import { empty } from "./overlays.js";
import { place } from "./place.js";
import { Rows } from "./rows.js";
import { store } from "./store.js";
import { shortTime, t } from "./words.js";

/** A message in one line. */
export function oneLine(chat, last) {
  if (last.recalled) return last.from === store.who ? t("youRecalled") : t("recalled", { name: personName(last.from) });
  const text =
    last.kind === "text" || last.kind === "system" ? last.text : `[${t(last.kind)}] ${last.text ?? ""}`.trim();
  const isOthers = isRoom(chat) && chat !== FILEHELPER && last.from !== store.who && last.kind !== "system";
  return isOthers ? `${personName(last.from)}: ${text}` : (text ?? "");
}

export function chatsView() {
  const search = h("input", { class: "input search", type: "search", autocomplete: "off", on: { input: update } });
  const rows = new Rows({
    label: "",
    height: 72,
    key: (row) => row.id,
    render,
    choose: (row) => place.openChat(row.id),
    name: (row) => chatName(row.id),
  });
  const body = h("div", { class: "list-body" });
  const element = h("div", { class: "list" }, h("div", { class: "list-search" }, search), body);

  function update() {
    label();
    const wanted = search.value.trim().toLowerCase();
    const all = [...store.rows.values()].sort(
      (one, other) => (other.pinned ?? 0) - (one.pinned ?? 0) || other.order - one.order,
    );
    const found = wanted ? all.filter((row) => chatName(row.id).toLowerCase().includes(wanted)) : all;
    if (found.length) {
      if (rows.element.parentNode !== body) fill(body, rows.element);
      rows.show(found, store.chat || null);
    } else if (!store.isKnown) {
      fill(body, h("p", { class: "quiet" }, t("loading")));
    } else if (wanted) {
      fill(body, empty("search", t("nothingFound"), ""));
    } else {
      fill(
        body,
        empty(
          "chats",
          t("noChats"),
          t("noChatsHint"),
          button(t("openContacts"), () => place.go({ view: "contacts" }), { picture: "contacts" }),
        ),
      );
    }
  }

  function label() {
    search.placeholder = t("search");
    search.setAttribute("aria-label", `${t("search")}: ${t("chats")}`);
    rows.label = t("chats");
  }

  function render(row, node) {
    const name = chatName(row.id);
    const unread = row.unread ?? 0;
    const line = oneLine(row.id, row.last);
    node.setAttribute(
      "aria-label",
      [
        name,
        unread ? t("unread", { n: unread }) : "",
        line,
        shortTime(row.time, store.now()),
        row.pinned ? t("pinned") : "",
      ]
        .filter(Boolean)
        .join(", "),
    );
    node.classList.toggle("is-pinned", Boolean(row.pinned));
    fill(
      node,
      avatar(row.id),
      h(
        "span",
        { class: "row-text" },
        h(
          "span",
          { class: "row-top" },
          h("span", { class: "row-name" }, name),
          h("time", { class: "row-time" }, shortTime(row.time, store.now())),
        ),
        h(
          "span",
          { class: "row-bottom" },
          h("span", { class: "row-line", dir: "auto" }, line),
          row.pinned && icon("pin"),
          unread > 0 && h("span", { class: "badge" }, unread > 99 ? "99+" : String(unread)),
        ),
      ),
    );
  }

  store.on("rows contacts people place", soon(update));
  return { element, update, focus: () => (store.rows.size ? rows.focus() : search.focus()) };
}
