// The list of chats on the selected phone.

import { attempt, confirmDialog } from "./attempts.js";
import { rowBadge } from "./badges.js";
import { act } from "./control.js";
import { button, fill, h, icon, soon } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { avatar, chatName, FILEHELPER, isRoom, personName } from "./names.js";
import { empty } from "./overlays.js";
import { place } from "./place.js";
import { rowText } from "./row-text.js";
import { Rows } from "./rows.js";
import { store } from "./store.js";
import { rowTime } from "./times.js";
import { t } from "./words.js";

/** A message on one line. */
export function oneLine(chat, last) {
  if (last.recalled) return last.from === store.who ? t("youRecalled") : t("recalledBy", { name: personName(last.from) });
  const said = withEmoji(last.text ?? "");
  const text = last.kind === "text" || last.kind === "system" ? said : `[${t(last.kind)}] ${said}`.trim();
  const isOthers = isRoom(chat) && chat !== FILEHELPER && last.from !== store.who && last.kind !== "system";
  return isOthers ? `${personName(last.from)}: ${text}` : text;
}

export function chatsView() {
  const search = h("input", {
    class: "input search",
    type: "search",
    autocomplete: "off",
    on: { input: update, keydown: press },
  });
  const rows = new Rows({
    label: "",
    height: 72,
    key: (row) => (row.message ? `message ${row.message}` : row.id),
    render: (row, node) => (row.message ? renderHit(row, node) : render(row, node)),
    choose: (row) => (row.message ? place.openMessage(row.chat, row.message) : place.openChat(row.id)),
    name: (row) => chatName(row.chat ?? row.id),
    actions: (row) => (row.message ? [] : actionsOn(row)),
  });
  const body = h("div", { class: "list-body" });
  const element = h("div", { class: "list" }, h("div", { class: "list-search" }, search), body);

  function update() {
    label();
    const words = search.value.trim();
    store.search(words);
    const wanted = words.toLowerCase();
    const all = [...store.rows.values()].sort(
      (one, other) => (other.pinned ?? 0) - (one.pinned ?? 0) || other.order - one.order,
    );
    const found = wanted
      ? [...all.filter((row) => chatName(row.id).toLowerCase().includes(wanted)), ...store.found.hits]
      : all;
    if (found.length) {
      if (rows.element.parentNode !== body) fill(body, rows.element);
      rows.show(found, store.chat || null);
    } else if (!store.isKnown || store.found.words !== words) {
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
    search.setAttribute("aria-label", t("searchChats"));
    rows.label = t("chats");
  }

  function press(event) {
    if ((event.key !== "ArrowDown" && event.key !== "Enter") || event.isComposing) return;
    event.preventDefault();
    rows.focus();
  }

  /** A message that the search found, with its words marked. */
  function renderHit(hit, node) {
    const name = chatName(hit.chat);
    const line = oneLine(hit.chat, hit);
    const time = rowTime(hit.time, store.now());
    fill(node, avatar(hit.chat), rowText(name, time, marked(line, store.found.words)));
  }

  function render(row, node) {
    const name = chatName(row.id);
    const unread = row.unread ?? 0;
    const line = oneLine(row.id, row.last);
    node.classList.toggle("is-pinned", Boolean(row.pinned));
    fill(
      node,
      avatar(row.id),
      rowText(
        name,
        rowTime(row.time, store.now()),
        line,
        {
          below: [
            row.pinned && [icon("pin"), h("span", { class: "hidden" }, t("pinned"))],
            rowBadge(unread, t("unread", { n: unread })),
          ],
        },
      ),
    );
  }

  store.on("rows contacts people found", soon(update));
  return { element, update, focus: () => (store.rows.size ? rows.focus() : search.focus()) };
}

/** The menu of a chat. */
function actionsOn({ id: chat, pinned = false, unread = 0 }) {
  const who = store.who;
  return [
    {
      words: t(pinned ? "unpin" : "pin"),
      picture: "pin",
      act: () => attempt(() => act(pinned ? "unpin" : "pin", { who, chat })),
    },
    unread > 0 && { words: t("markRead"), picture: "check", act: () => attempt(() => act("read", { who, chat })) },
    { words: t("deleteChat"), picture: "trash", kind: "is-danger", act: () => askDeleteChat(who, chat) },
  ];
}

function askDeleteChat(who, chat) {
  confirmDialog(t("deleteChatWith", { name: chatName(chat) }), t("deleteHint"), t("delete"), () =>
    act("delete", { who, chat }),
  );
}

/** A line with the first match of the search marked. */
function marked(line, words) {
  const at = line.toLowerCase().indexOf(words.toLowerCase());
  if (at < 0) return line;
  const end = at + words.length;
  return [line.slice(0, at), h("mark", {}, line.slice(at, end)), line.slice(end)];
}
