// A conversation: its messages, the newest in view, older ones on demand, and the actions on a message.

import { attempt } from "./attempts.js";
import { content, greyLine, inWords, isBare } from "./bubbles.js";
import { act } from "./control.js";
import { onContextMenu } from "./context-menu.js";
import { button, fill, h, icon, iconButton, set, soon } from "./dom.js";
import { composer } from "./composer.js";
import { KeyedList } from "./keyed-list.js";
import { GAP, messagesIn, MOST, moveByKey, NEAR, RECALL_WINDOW } from "./message-log.js";
import { avatar, chatName, isRoom, personName, TEAM } from "./names.js";
import { empty, menu } from "./overlays.js";
import { place } from "./place.js";
import { askDelete, askForward, canForward, selection } from "./selection.js";
import { store } from "./store.js";
import { exactTime, timeLine } from "./times.js";
import { t } from "./words.js";

/** Number of messages by which that part moves. */
const STEP = 50;

/** Number of messages that were read above which all but the newest are put away, while the newest are in view. */
const KEPT = 400;

/** Milliseconds until messages in view are marked as read, so that several are marked together. */
const READING = 250;

export function conversation({ showDetails }) {
  const title = h("h2", { class: "pane-title" });
  const size = h("span", { class: "faint" });
  const backButton = iconButton("back", "", () => place.go({ chat: "" }), { class: "icon-button only-narrow" });
  const detailsButton = iconButton("more", "", () => showDetails(store.chat));
  const earlier = button("", () => readEarlier(), { kind: "is-quiet" });
  const log = h("div", { class: "messages", role: "log", "aria-live": "polite", on: { keydown: move } });
  const jump = button("", () => toEnd(), { kind: "jump", hidden: true });
  const scroller = h(
    "div",
    { class: "scroller", on: { scroll: scrolled } },
    h("div", { class: "earlier" }, earlier),
    log,
  );
  const nodes = new KeyedList(log); // by the id of the message
  const menus = new WeakMap();
  const left = h("p", { class: "left-note", hidden: true });
  const write = composer({ afterSend: () => toEnd() });
  const several = selection({ log, ended: afterSelection });
  const element = h(
    "section",
    { class: "pane conversation", on: { keydown: (event) => event.key === "Escape" && leaveSelection(event) } },
    h("header", { class: "pane-head" }, backButton, title, size, h("span", { class: "stretch" }), detailsButton),
    h("div", { class: "scroller-box" }, scroller, jump),
    left,
    several.element,
    write.element,
  );
  write.acceptFiles(element);
  let first = 0; // index of the first message that is shown
  let current = null; // the message with the focus
  let isAtEnd = true;
  let isAsking = false; // older messages were asked for
  let reading = 0; // timer for marking messages as read
  let seen = null; // what is marked then: {who, chat, message_id}
  let sought = null; // the message that the search selected: {chat, id}

  function update() {
    const name = chatName(store.chat);
    const room = isRoom(store.chat);
    fill(title, name);
    fill(size, room && store.members.length ? `(${store.members.length})` : "");
    set(element, "aria-label", name);
    set(log, "aria-label", t("messagesWith", { name }));
    for (const [node, words] of [
      [backButton, t("back")],
      [detailsButton, t("details")],
    ]) {
      set(node, "aria-label", words);
      set(node, "title", words);
    }
    detailsButton.hidden = !(store.people.has(store.chat) || room);
    fill(earlier, t("showEarlier"));
    fill(jump, icon("down"), t("newMessages"));
    const hasLeft = Boolean(store.rooms.get(store.chat)?.left);
    const isSelecting = several.isOn();
    write.element.hidden = store.chat === TEAM || hasLeft || isSelecting;
    left.hidden = !hasLeft || isSelecting;
    several.update();
    fill(left, t("youLeft"));
    write.update();
  }

  // -- messages ------------------------------------------------------------------------------------------------------

  function renew() {
    nodes.clear();
    current = null;
    // Screen readers announce only new messages; older ones can be read on demand.
    set(log, "aria-live", "off");
    setTimeout(() => set(log, "aria-live", "polite"), 1000);
    first = Math.max(0, store.messages.length - MOST);
    if (store.messages.length) draw();
    else
      fill(
        log,
        store.isLoaded
          ? empty("chats", t("noMessages"), store.chat === TEAM ? "" : t("noMessagesHint"))
          : h("p", { class: "quiet" }, t("loading")),
      );
    showEarlierButton();
    toEnd();
    seek();
  }

  /** Show the messages from `first` on; those that are shown already stay, with the focus. */
  function draw() {
    const shown = store.messages.slice(first, first + MOST);
    const near = nodes.show(shown.flatMap((message, at) => [rest(message, shown[at - 1]), node(message)]).filter(Boolean));
    const next = near && (near.find((each) => each.matches(".message, .grey-line")) ?? all().at(-1));
    if (next) focusMessage(next, { preventScroll: true });
    showEarlierButton();
  }

  function showEarlierButton() {
    earlier.parentElement.hidden = !store.hasMore && first === 0;
  }

  /** Whether the newest message is shown. */
  function showsNewest() {
    return first + MOST >= store.messages.length;
  }

  /** Show other messages of those that were read; what is in view stays where it is. */
  function moveTo(index) {
    const top = scroller.getBoundingClientRect().top;
    const anchor = all().find((message) => message.getBoundingClientRect().bottom > top);
    const was = anchor?.getBoundingClientRect().top;
    first = Math.max(0, Math.min(index, store.messages.length - MOST));
    draw();
    if (anchor?.isConnected) scroller.scrollTop += anchor.getBoundingClientRect().top - was;
  }

  function hear({ place: where, messages }) {
    showEarlierButton();
    if (where === "again") return redraw();
    if (where === "before") return before(messages);
    if (where === "deleted") return remove();
    readIfUnread();
    if (where === "all") isAsking = false; // an answer to the earlier connection does not come
    if (where === "all" || !all().length) return renew();
    const hadNewest = first + MOST >= store.messages.length - messages.length;
    const isFollowed = isAtEnd || messages.some((message) => message.mine);
    if (isAtEnd && store.messages.length > KEPT) store.trim(MOST);
    if (isFollowed) first = Math.max(0, store.messages.length - MOST);
    if (isFollowed || hadNewest) draw();
    if (isFollowed) toEnd();
    else jump.hidden = false;
    return undefined;
  }

  /** Changed messages keep their places, and the focus. */
  function redraw() {
    if (all().length) draw();
  }

  /** Deleted messages disappear; the focus moves to the next one. */
  function remove() {
    const top = all().map((message) => placeOf(message.dataset.id)).find((at) => at >= 0) ?? store.messages.length;
    first = Math.max(0, Math.min(top, store.messages.length - MOST));
    if (store.messages.length) draw();
    else renew();
    several.update();
  }

  /** Older messages have arrived: they are shown above, without moving the ones in view. */
  function before(messages) {
    first += messages.length; // what is shown now
    moveTo(first - STEP);
    isAsking = false;
    seek();
    readOn(); // no event reports a scrolling that ended before the answer
  }

  /** Scroll to a message of the open chat, of any age. */
  function show(id) {
    sought = { chat: store.chat, id };
    seek();
  }

  function seek() {
    if (!sought || sought.chat !== store.chat || !store.isLoaded) return;
    const at = placeOf(sought.id);
    if (at < 0 && store.hasMore) return askEarlier(sought.id);
    if (at >= 0 && !nodes.get(sought.id)) moveTo(at - MOST / 2);
    const found = nodes.get(sought.id);
    sought = null;
    if (!found) return undefined; // it is no longer on this phone
    found.classList.add("is-found");
    found.addEventListener("blur", () => found.classList.remove("is-found"), { once: true });
    focusMessage(found);
    found.scrollIntoView({ block: "center" });
    return scrolled();
  }

  /** The place of a message among those that were read; -1 if it is not there. */
  function placeOf(id) {
    return store.messages.findIndex((message) => message.id === id);
  }

  function rest(message, previous) {
    if (previous && message.time - previous.time < GAP) return null;
    return nodes.node(`time of ${message.id}`, "", () => timeLine(message.time, store.now()));
  }

  /** Return the node of a message; the buttons of a request or an invitation depend on the contacts. */
  function node(message) {
    const isOpen = message.kind === "friend_request" && store.asked.includes(message.about);
    const isJoined = store.rooms.has(message.leads_to) && !store.rooms.get(message.leads_to).left;
    const isFriend = message.kind === "friend_request" && store.friends.has(message.about);
    return nodes.node(message.id, JSON.stringify([message, isOpen, isFriend, isJoined]), () => drawn(message));
  }

  function drawn(message) {
    const grey = greyLine(message);
    const words = inWords(message);
    const bubble = grey ? null : h("div", { class: "bubble", title: exactTime(message.time) }, content(message));
    const element = grey
      ? h("div", { class: "grey-line", tabindex: "-1", "data-id": message.id }, h("span", {}, grey))
      : h(
          "article",
          {
            class: `message ${message.mine ? "is-mine" : ""} ${isBare(message) ? "is-bare" : ""}`,
            tabindex: "-1",
            "data-id": message.id,
            "aria-label": `${message.mine ? t("you") : personName(message.from)}: ${words}`,
          },
          h(
            "button",
            {
              type: "button",
              class: "avatar-button",
              tabindex: "-1",
              "aria-label": t("profileOf", { name: personName(message.from) }),
              on: { click: () => showDetails(message.from) },
            },
            avatar(message.from, "is-small"),
          ),
          isRoom(store.chat) && !message.mine
            ? h("div", { class: "message-body" }, h("p", { class: "sender" }, personName(message.from)), bubble)
            : bubble,
        );
    const actions = grey
      ? null
      : h("button", {
          type: "button",
          class: "icon-button message-actions", // its picture is drawn by the style: a hundred of them would be many elements
          "aria-label": t("actions"),
          title: t("actions"),
          tabindex: "-1",
          "aria-haspopup": "menu",
          "aria-expanded": "false",
          on: { click: () => openMenu(message, actions) },
        });
    if (actions) {
      element.append(actions);
      const open = (at) => !several.isOn() && openMenu(message, actions, { at, back: element });
      onContextMenu(element, open);
      menus.set(element, open);
      several.mark(element);
    }
    return element;
  }

  function openMenu(message, anchor, { at = null, back = anchor } = {}) {
    const isRecallable = message.mine && store.now() - message.time <= RECALL_WINDOW;
    menu(
      anchor,
      t("actions"),
      [
        isRecallable && {
          words: t("recall"),
          picture: "recall",
          act: () => attempt(() => act("recall", { from: store.who, to: store.chat, message_id: message.id })),
        },
        canForward(message) && { words: t("forward"), picture: "forward", act: () => askForward([message]) },
        store.chat !== TEAM && { words: t("quoteThis"), picture: "chats", act: () => write.quote(message) },
        message.text && {
          words: t("copy"),
          picture: "copy",
          act: () => navigator.clipboard.writeText(message.text),
        },
        !message.mine && {
          words: t("profileOf", { name: personName(message.from) }),
          picture: "contacts",
          act: () => showDetails(message.from),
        },
        { words: t("select"), picture: "check", act: () => select(message) },
        { words: t("delete"), picture: "trash", kind: "is-danger", act: () => askDelete([message]) },
      ],
      { at, back },
    );
  }

  // -- the selection of several --------------------------------------------------------------------------------------

  function select(message) {
    several.begin(message);
    update();
    focusMessage(nodes.get(message.id));
  }

  function leaveSelection(event) {
    if (!several.isOn() || event.defaultPrevented) return;
    event.preventDefault();
    several.end();
  }

  function afterSelection() {
    update();
    const last = current?.isConnected ? current : all().at(-1);
    if (last) focusMessage(last);
    else write.focus();
  }

  // -- keyboard ------------------------------------------------------------------------------------------------------

  function all() {
    return messagesIn(log);
  }

  /** Up and Down move between messages, Enter opens the actions on one. */
  function move(event) {
    moveByKey(event, log, { go: focusMessage, before: () => earlier.focus(), after: () => write.focus() });
    if (event.key !== "Enter" || !event.target.matches(".message, .grey-line")) return;
    event.preventDefault();
    menus.get(event.target)?.(null);
  }

  function focusMessage(message, how = {}) {
    if (current) current.tabIndex = -1;
    current = message;
    current.tabIndex = 0;
    current.focus(how);
  }

  // -- scrolling -----------------------------------------------------------------------------------------------------

  function toEnd() {
    if (!showsNewest()) {
      first = Math.max(0, store.messages.length - MOST);
      draw();
    }
    scroller.scrollTop = scroller.scrollHeight;
    jump.hidden = true;
    isAtEnd = true;
    const last = all().at(-1);
    if (last && (!current || !current.isConnected)) last.tabIndex = 0;
  }

  function scrolled() {
    const isAtBottom = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    isAtEnd = isAtBottom && showsNewest();
    if (isAtEnd) jump.hidden = true;
    else if (isAtBottom) moveTo(first + STEP);
    readOn();
  }

  /** Show older messages if the beginning is in view. */
  function readOn() {
    if (scroller.clientHeight > 0 && scroller.scrollTop < NEAR) readEarlier();
  }

  /** Show older messages; ask for them if they were not read yet. */
  function readEarlier() {
    if (first > 0) moveTo(first - STEP);
    else if (store.hasMore && store.messages.length) askEarlier();
  }

  /** Ask for a page of older messages; for the next one only after the answer. */
  function askEarlier(upto = "") {
    if (isAsking) return;
    isAsking = true;
    store.askEarlier(upto);
  }

  /** Mark the messages as read that are in view now; a later one stays unread. */
  function read() {
    if (seen && (seen.who !== store.who || seen.chat !== store.chat)) tellRead();
    clearTimeout(reading);
    seen = { who: store.who, chat: store.chat, message_id: store.messages.at(-1).id };
    reading = setTimeout(tellRead, READING);
  }

  function tellRead() {
    clearTimeout(reading);
    const all = seen;
    seen = null;
    if (all.who === store.who && !store.rows.get(all.chat)?.unread) return; // opening the chat has marked them
    attempt(() => act("read", all));
  }

  function readIfUnread() {
    const isUnread = store.messages.length > 0 && store.rows.get(store.chat)?.unread;
    if (isUnread && !document.hidden && element.checkVisibility()) read();
  }

  // A picture that loads late must not push the newest message out of view.
  new ResizeObserver(() => isAtEnd && toEnd()).observe(log);
  document.addEventListener("visibilitychange", readIfUnread);
  new IntersectionObserver(readIfUnread).observe(element); // a tool may have covered it
  store.on("messages", (detail) => store.chat && hear(detail));
  store.on("place", () => {
    if (!store.chat || store.isLoaded) return;
    isAsking = false;
    renew();
  });
  store.on(
    "members contacts people",
    soon(() => store.chat && update()),
  );
  store.on("contacts", soon(redraw));
  return { element, update, renew, show, readIfUnread, focus: () => write.focus() };
}
