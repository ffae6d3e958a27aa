// The list of recent chats of one account, and the search through names and messages.

import { call, Problem } from "./api.js";
import { rowBadge } from "./badges.js";
import { t } from "./chats-words.js";
import { drafts } from "./composer.js";
import { fill, h, icon, iconButton, set } from "./dom.js";
import { fewAtATime } from "./few.js";
import { inWords } from "./message-content.js";
import { face, FILEHELPER } from "./names.js";
import { empty } from "./overlays.js";
import { rowText } from "./row-text.js";
import { Rows } from "./rows.js";
import { answersInOrder } from "./states.js";
import { rowTime } from "./times.js";
import { unread } from "./unread.js";

/** Milliseconds after the last key press until messages are searched. */
const TYPING = 250;

const FOUND = 50;

/** Codes of the errors of the gateway for a chat that exists no longer, or not in this login. */
const GONE = ["unknown-contact", "stale-contact"];

/** Number of the newest messages of all chats in which the last line of each chat is looked up. */
const LAST_LINES = 200;

/**
 * Make the list. `names` has the names of the account's contacts, `openChat(id)` opens a chat, `openMessage(chat, time)`
 * goes to a message, `act` shows failures, and `isWanted()` returns whether the list is still open.
 */
export function chatList({ account, names, openChat, openMessage, act, isWanted }) {
  const path = `/accounts/${account}`;
  const lastLines = new Map(); // by chat: {line, time}
  const helper = { id: FILEHELPER, is_pinned: false };
  const reading = answersInOrder();
  let chats = [helper];
  const moved = new Set(); // chats with a message since the latest request began, the latest last; its answer may be older
  let selected = null;
  let scope = null; // the chat in which messages are searched; null for all
  let found = { words: "", rows: [], isDone: true };
  let timer = 0;

  const search = h("input", {
    class: "input",
    type: "search",
    autocomplete: "off",
    maxlength: "200",
    on: { input: typed, keydown: press },
  });
  const scopeLine = h("div", { class: "scope", hidden: true });
  const rows = new Rows({
    label: t("chats"),
    height: 64,
    key: (row) => row.key,
    render,
    choose: (row) => (row.isMessage ? openMessage(row.chat, row.time) : openChat(row.chat)),
    name: (row) => row.name,
  });
  const holder = h("div", { class: "list-body" });
  const element = h("div", { class: "list" }, h("div", { class: "list-search" }, search), scopeLine, holder);

  /** Read the recent chats. File Transfer Helper is always one of them. */
  async function refresh() {
    const isNews = reading();
    moved.clear();
    const { entries } = await call("GET", `${path}/messages?limit=${LAST_LINES}`);
    if (!isNews()) return;
    for (const { chat, line, time } of entries.map(hit).reverse()) {
      if (!moved.has(chat)) lastLines.set(chat, { line, time });
    }
    draw();
    const recent = (await call("GET", `${path}/chats`)).chats;
    names.learn(recent);
    const known = new Set([FILEHELPER, ...recent.map(({ id }) => id)]);
    if (!isNews()) return;
    show(recent, chats.filter(({ id }) => !known.has(id))); // the others that were shown before, until they are read again
    const others = await otherChats(known);
    if (isNews()) show(recent, others);
  }

  function show(recent, others) {
    chats = [...(recent.some(({ id }) => id === FILEHELPER) ? recent : [helper, ...recent]), ...others];
    moved.forEach(toTop);
    draw();
  }

  /**
   * Return the chats with unread messages or a draft that are not among the known ones; after a login they may have other
   * ids. What is kept of a chat that exists no longer is forgotten.
   */
  async function otherChats(known) {
    const others = [...new Set([...unread.chatsOf(account), ...draftsOf(account)])].filter((id) => !known.has(id));
    const found = await fewAtATime(others, currentChat, isWanted);
    const present = new Map(found.filter(Boolean).map((chat) => [chat.id, chat])); // two ids may be those of one chat
    names.learn([...present.values()]);
    return [...present.values()].filter(({ id }) => !known.has(id));
  }

  async function currentChat(id) {
    try {
      const { contact } = await call("GET", `${path}/contacts/${encodeURIComponent(id)}`);
      if (contact.id !== id) move(id, contact.id);
      return contact;
    } catch (error) {
      if (error instanceof Problem && GONE.includes(error.code)) forget(id);
      else if (!(error instanceof Problem || error instanceof TypeError)) throw error;
      return null;
    }
  }

  /** The chat has another id in this login. */
  function move(id, other) {
    unread.move(account, id, other);
    const place = `${account}/${other}`;
    drafts.keep(place, drafts.of(place) || drafts.of(`${account}/${id}`));
    drafts.keep(`${account}/${id}`, "");
  }

  function forget(id) {
    unread.see(account, id);
    drafts.keep(`${account}/${id}`, "");
  }

  // -- search --------------------------------------------------------------------------------------------------------

  function typed() {
    clearTimeout(timer);
    const words = search.value.trim();
    found = { words, rows: [], isDone: words === "" };
    draw();
    if (words) timer = setTimeout(() => act(() => find(words), { isOfUser: false }), TYPING);
  }

  async function find(words) {
    const query = new URLSearchParams({ q: words, limit: FOUND });
    if (scope) query.set("chat", scope);
    const [messages, contacts] = await Promise.all([
      call("GET", `${path}/messages?${query}`),
      scope ? { contacts: [] } : call("GET", `${path}/contacts?${new URLSearchParams({ q: words, limit: FOUND })}`),
    ]);
    names.learn(contacts.contacts);
    const known = new Set(chats.map(({ id }) => id));
    const hits = messages.entries.map(hit).filter(({ chat }) => chat);
    await names.find([...new Set(hits.map(({ chat }) => chat))].filter((id) => !names.isKnown(id)));
    if (search.value.trim() !== words) return;
    const others = contacts.contacts
      .filter(({ id }) => !known.has(id))
      .map(({ id, name }) => ({ key: `contact ${id}`, chat: id, name, line: t("contact") }));
    found = { words, rows: [...others, ...hits.map((row) => ({ ...row, name: names.of(row.chat) }))], isDone: true };
    draw();
  }

  function hit({ event, send }) {
    if (send) {
      const time = Date.parse(send.time ?? send.created_at) / 1000;
      return { key: `send ${send.id}`, isMessage: true, chat: send.chat, time, line: send.text };
    }
    const line = inWords(event, event.sender_name);
    return { key: `event ${event.id}`, isMessage: true, chat: event.chat, time: Date.parse(event.time) / 1000, line };
  }

  /** Search in one chat from now on; null: in all chats. */
  function searchIn(chat) {
    scope = chat;
    typed();
    search.focus();
  }

  function press(event) {
    if (event.isComposing) return;
    if (event.key === "Escape" && (search.value || scope)) {
      event.stopPropagation();
      search.value = "";
      searchIn(null);
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      rows.focus();
    }
  }

  // -- drawing -------------------------------------------------------------------------------------------------------

  function draw() {
    const words = found.words.toLowerCase();
    const label = scope ? t("searchIn", { name: names.of(scope) }) : t("searchChats");
    search.placeholder = label;
    set(search, "aria-label", label);
    scopeLine.hidden = !scope;
    fill(
      scopeLine,
      scope && h("span", { class: "pill" }, t("inChat", { name: names.of(scope) })),
      scope && iconButton("close", t("everywhere"), () => searchIn(null)),
    );
    const recent = chats
      .map(({ id, is_pinned: isPinned }) => ({ key: id, chat: id, name: names.of(id), isPinned, ...lastLines.get(id) }))
      .filter(({ name }) => !words || (!scope && name.toLowerCase().includes(words)));
    const all = [...recent, ...found.rows];
    if (all.length) {
      if (rows.element.parentNode !== holder) fill(holder, rows.element);
      rows.show(all, selected);
    } else {
      fill(holder, found.isDone ? empty("search", t("nothingFound"), "") : h("p", { class: "quiet" }, t("loading")));
    }
  }

  function render(row, node) {
    const count = row.isMessage ? 0 : unread.of(account, row.chat);
    fill(
      node,
      face(row.chat, row.name),
      rowText(row.name, rowTime(row.time, Date.now() / 1000), row.line, {
        above: [
          row.isPinned && [icon("pin"), h("span", { class: "hidden" }, t("pinned"))],
          rowBadge(count, t("unread", { n: count })),
        ],
      }),
    );
  }

  // -- what changes --------------------------------------------------------------------------------------------------

  /** A message has arrived: move its chat to the top. */
  function hear(event) {
    if (!event.chat || !event.sender) return;
    names.learn([
      { id: event.chat, name: event.chat_name },
      { id: event.sender, name: event.sender_name },
    ]);
    bringUp(hit({ event }));
    draw();
  }

  /** Move the chat of a message that was sent from this page to the top. */
  function hearSent(chat, line) {
    bringUp({ chat, line, time: Date.now() / 1000 });
    draw();
  }

  function bringUp({ chat: id, line, time }) {
    lastLines.set(id, { line, time });
    moved.delete(id);
    moved.add(id);
    toTop(id);
  }

  function toTop(id) {
    const chat = chats.find((each) => each.id === id) ?? { id, is_pinned: false };
    chats = [chat, ...chats.filter((each) => each !== chat)];
  }

  function select(chat) {
    selected = chat;
    draw();
  }

  draw();
  return { element, refresh, draw, hear, hearSent, select, searchIn, focus: () => rows.focus() };
}

/** The ids of the chats of an account with a draft. */
function draftsOf(account) {
  const begin = `${account}/`;
  return drafts.places().filter((place) => place.startsWith(begin)).map((place) => place.slice(begin.length));
}
