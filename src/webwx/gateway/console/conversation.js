// A conversation: its messages and sends, the newest in view and older ones on demand, with the actions on them.

import { call } from "./api.js";
import { t } from "./chats-words.js";
import { composer } from "./composer.js";
import { confirm } from "./confirm.js";
import { button, fill, h, icon, iconButton, raisesKeyboard, set } from "./dom.js";
import { bytes, countdown } from "./formats.js";
import { KeyedList } from "./keyed-list.js";
import { content, inWords, isNotice, sentContent } from "./message-content.js";
import { GAP, messagesIn, MOST, moveByKey, NEAR, RECALL_WINDOW } from "./message-log.js";
import { stateReason, t as said } from "./message-words.js";
import { face, FILEHELPER } from "./names.js";
import { empty } from "./overlays.js";
import { mayBe, pendingSends } from "./pending-sends.js";
import { addressOf } from "./place.js";
import { answersInOrder, load } from "./states.js";
import { exactTime, timeLine } from "./times.js";
import { unread } from "./unread.js";

/** Number of entries that are read and drawn at a time: more would take the page over 50 ms on a slow machine. */
const PAGE = 30;

/** Number of the newest entries that are kept when there are more than are shown, while the newest are in view. */
const KEPT = 120;

/** Milliseconds after which sends in progress are read again, in case the report of their change was lost. */
const LOOK_AGAIN = 5000;

/** Number of the newest sends in which unsent ones are looked for. */
const OUTBOX = 200;

/**
 * Make the pane of one account's conversations. `back()` closes it in a narrow window, `searchIn(chat)` searches in it.
 */
export function conversation({ frame, account, names, back, searchIn }) {
  const path = `/accounts/${account}`;
  let chat = "";
  let entries = []; // the oldest first
  let waiting = []; // sends of the outbox that were not sent
  let first = 0; // the index of the first entry that is shown
  let before = null; // the position of older entries; null if there are none
  let until = 0; // the newest time to show, in seconds; 0: up to now
  let isLoaded = false; // the newest entries of the chat were read
  let isAtEnd = true;
  let lastTop = 0; // the position at the last event of scrolling
  let isOpen = true;
  let renewal = null; // the request for the newest entries; one at a time
  let isStale = false; // something changed during this request
  let lookTimer = 0;
  const reading = answersInOrder();

  const title = h("h3", { tabindex: "-1", class: "pane-title", dir: "auto" });
  const markRead = button(t("markRead"), () => frame.act(markAsRead, { by: markRead }), { kind: "is-small" });
  const head = h(
    "header",
    { class: "pane-head" },
    iconButton("back", t("back"), back, { class: "icon-button only-narrow" }),
    title,
    h("span", { class: "stretch" }),
    markRead,
    iconButton("search", t("searchHere"), () => searchIn(chat)),
  );
  const earlier = button(t("showEarlier"), () => frame.act(readEarlier, { by: earlier }), { kind: "is-quiet" });
  const earlierLine = h("div", { class: "earlier", hidden: true }, earlier);
  const log = h("div", { class: "messages", role: "log", "aria-live": "polite", tabindex: "0" });
  const nodes = new KeyedList(log);
  const jump = button([icon("down"), t("newMessages")], toNewest, { kind: "jump", hidden: true });
  const scroller = h("div", { class: "scroller", on: { scroll: scrolled } }, earlierLine, log);
  const write = composer({ account, sent: toNewest, toMessages: () => messages().at(-1)?.focus() });
  const box = h("div", { class: "scroller-box" }, scroller, jump);
  const element = h("section", { class: "pane conversation" }, head, box, write.element);
  const refuseFiles = write.acceptFiles(element);

  // -- reading -------------------------------------------------------------------------------------------------------

  /** Show a chat, up to a time in seconds or up to now. */
  async function open(id, time = 0) {
    chat = id;
    until = time;
    [entries, waiting, before, first] = [[], [], null, 0];
    nodes.clear();
    label();
    write.writeTo(chat, names.of(chat));
    [isAtEnd, isLoaded] = [true, false];
    if (raisesKeyboard()) title.focus(); // the list with the focus is covered, and the field would raise the keyboard
    await frame.act(() => load(frame, log, readNewest), { isOfUser: false });
    if (time) showFound();
    else write.focus();
  }

  /** Mark the message that was searched for, which is the last one shown. */
  function showFound() {
    const found = messages().at(-1);
    found?.classList.add("is-found");
    found?.focus();
  }

  function label() {
    const name = names.of(chat);
    fill(title, name);
    set(element, "aria-label", name);
    set(log, "aria-label", t("messagesWith", { name }));
    markRead.hidden = chat === FILEHELPER;
  }

  function query(more) {
    return `${path}/messages?${new URLSearchParams({ chat, limit: PAGE, ...more })}`;
  }

  /** Read the newest entries again. Earlier entries stay on the page, unless there is a gap between both. */
  async function readNewest() {
    const [shown, time] = [chat, until];
    const isNews = reading();
    const [page, { sends }] = await Promise.all([
      call("GET", query(time ? { until: time } : {})),
      call("GET", `${path}/sends?limit=${OUTBOX}`),
    ]);
    const read = page.entries.reverse().map(keyed);
    await names.findIn(chat, authorsOf(read));
    if (!isOpen || shown !== chat || time !== until || !isNews()) return;
    const overlap = entries.findIndex(({ key }) => key === read[0]?.key);
    if (overlap < 0) [before, first] = [page.before, 0];
    entries = overlap < 0 ? read : [...entries.slice(0, overlap), ...read];
    waiting = time ? [] : sends.filter((send) => send.chat === chat && isWaiting(send)).map((send) => keyed({ send }));
    if (isAtEnd && entries.length > MOST) putAway();
    isLoaded = true;
    draw();
    see();
    lookAgain();
  }

  /** Remove all but the newest entries from the page; they are read again on demand. */
  function putAway() {
    entries = entries.slice(-KEPT);
    [before, first] = [entries[0].before, 0];
  }

  /** Whether the newest entry that was read is shown. */
  function showsNewest() {
    return first + MOST >= entries.length;
  }

  /** Show other entries of those that were read; what is in view stays where it is. */
  function moveTo(index) {
    const top = scroller.getBoundingClientRect().top;
    const anchor = messages().find((message) => message.getBoundingClientRect().bottom > top);
    const was = anchor?.getBoundingClientRect().top;
    first = Math.max(0, Math.min(index, entries.length - MOST));
    draw();
    if (anchor?.isConnected) scroller.scrollTop += anchor.getBoundingClientRect().top - was;
  }

  /** Show older entries; read them if they were not read yet. */
  async function readEarlier() {
    if (first > 0) {
      moveTo(first - PAGE);
      return;
    }
    if (before === null) return;
    const shown = chat;
    const page = await call("GET", query({ before }));
    const read = page.entries.reverse().map(keyed);
    await names.findIn(chat, authorsOf(read));
    if (!isOpen || shown !== chat) return;
    before = page.before;
    entries = [...read, ...entries];
    first = read.length; // what is shown now
    moveTo(0);
  }

  /** Read again because something has changed; during a request, read once more after it. */
  function refresh() {
    if (!chat || until) return;
    if (renewal) {
      isStale = true;
      return;
    }
    renewal = frame.act(readNewest, { isOfUser: false }).then(() => {
      renewal = null;
      if (isStale && isOpen) {
        isStale = false;
        refresh();
      }
    });
  }

  /** Read sends in progress again: another process may make them, such as a command. */
  function lookAgain() {
    clearTimeout(lookTimer);
    const isOnWay = [...entries, ...waiting].some(({ send }) => send?.state === "sending" || send?.state === "queued");
    if (isOnWay && isOpen) lookTimer = setTimeout(refresh, LOOK_AGAIN);
  }

  function keyed({ event, send, before: older }) {
    const time = Date.parse(send ? (send.time ?? send.created_at) : event.time) / 1000;
    return { key: send ? `s${send.id}` : `e${event.number}`, event, send, time, before: older };
  }

  function isWaiting({ state }) {
    return state === "queued" || state === "failed";
  }

  function authorsOf(read) {
    return read.map(({ event }) => event?.sender);
  }

  // -- drawing -------------------------------------------------------------------------------------------------------

  function draw() {
    const gone = new Set(entries.map(({ event }) => event?.type === "message.recalled" && event.data.message_id));
    if (isAtEnd) first = Math.max(0, entries.length - MOST);
    const inOrder = entries.slice(first, first + MOST);
    const pending = until || !showsNewest() ? [] : pendingSends.to(account, chat);
    for (const each of showsNewest() ? waiting : []) {
      const next = inOrder.findIndex(({ time }) => time > each.time);
      inOrder.splice(next < 0 ? inOrder.length : next, 0, each);
    }
    for (const each of pending) hide(inOrder, each);
    const wanted = [];
    let last = -Infinity;
    const addPending = (chosen) => {
      for (const each of chosen) wanted.push(nodes.node(`p${each.key}`, each.state, () => pendingBubble(each)));
    };
    const keys = new Set(inOrder.map(({ key }) => key));
    for (const entry of inOrder) {
      addPending(pending.filter(({ next }) => next && `s${next}` === entry.key));
      if (entry.time - last >= GAP) wanted.push(nodes.node(`t${entry.key}`, "", () => timeLine(entry.time, Date.now() / 1000)));
      last = entry.time;
      const isRecalled = gone.has(entry.event?.data.message_id ?? entry.send?.message_id);
      const state = JSON.stringify([entry.send?.state, isRecalled]);
      wanted.push(nodes.node(entry.key, state, () => drawn(entry, isRecalled)));
    }
    addPending(pending.filter(({ next }) => !keys.has(`s${next}`)));
    pending.forEach(showPart);
    if (wanted.length === 0) wanted.push(nodes.node("empty", "", () => empty("chats", t("noMessages"), t("noMessagesHint"))));
    arrange(wanted);
    earlierLine.hidden = before === null && first === 0;
    if (until) jump.hidden = false;
    fill(jump, icon("down"), t(until ? "toNewest" : "newMessages"));
    if (isAtEnd) toEnd();
  }

  /** Remove the entry of a send that is shown as a pending one, because the page waits for its answer. */
  function hide(shown, pending) {
    if (pending.state !== "sending" && pending.state !== "unanswered") return;
    const at = shown.findIndex(({ send }) => send && mayBe(send, pending));
    if (at >= 0) shown.splice(at, 1);
  }

  /** Show nodes in the log. If the message with the focus is gone, such as a discarded one, the next one gets the focus. */
  function arrange(wanted) {
    const near = nodes.show(wanted);
    if (near) (near.find((node) => node.matches(".message, .grey-line")) ?? messages().at(-1) ?? log).focus();
  }

  function drawn(entry, isRecalled) {
    if (entry.send) return sendBubble(entry.send);
    const { event } = entry;
    const name = event.is_self ? said("you") : event.sender_name || names.of(event.sender);
    if (isNotice(event)) return h("div", { class: "grey-line", tabindex: "-1" }, h("span", {}, event.data.text || inWords(event, name)));
    const isMine = event.is_self;
    return bubble(
      { isMine, name, words: inWords(event, name), time: entry.time, face: face(event.sender, name, "is-small") },
      content(event, { name }),
      [
        isRecalled && pill("recalled", "recalled"),
        isMine && !isRecalled && recallLine(entry.time, `${path}/messages/${event.number}/recall`),
      ],
    );
  }

  function sendBubble(send) {
    const reason = stateReason(send, pendingSends.reasons.get(send.id));
    const at = Date.parse(send.time ?? send.created_at) / 1000;
    const sendPath = `${path}/sends/${encodeURIComponent(send.id)}`;
    return bubble({ isMine: true, name: said("you"), words: `${send.text}, ${said(send.state)}`, time: at }, sentContent(send, pendingSends.pictures.get(send.id)), [
      pill(send.state, send.state),
      reason && h("p", { class: "hint" }, reason),
      send.state === "sent" && recallLine(at, `${sendPath}/recall`),
      send.state === "failed" &&
        h(
          "div",
          { class: "buttons" },
          send.kind === "text" && action(t("retrySend"), "retry", () => call("POST", `${sendPath}/retry`)),
          small(t("discard"), "trash", () =>
            discard(async () => {
              await call("DELETE", sendPath);
              refresh();
            }),
          ),
        ),
      send.state === "unknown" &&
        h("a", { class: "button is-small", href: addressOf("outbox", account) }, t("openOutbox")),
    ]);
  }

  function pendingBubble(pending) {
    const { state, kind, text, size, reason } = pending;
    const why = {
      refused: t("refused", { reason }),
      unanswered: t("unanswered"),
      sending: t("pendingSending"),
      uploading: t("uploading", { name: text }),
      waiting: t("pendingWaiting"),
    }[state];
    const progress =
      state === "uploading" && h("progress", { max: "1", value: "0", "aria-label": t("uploading", { name: text }) });
    return bubble({ isMine: true, name: said("you"), words: `${text}, ${why}` }, sentContent({ kind, text }, pending.file), [
      progress,
      h("p", { class: state === "refused" ? "hint is-bad" : "hint", role: state === "refused" ? "alert" : null }, why),
      state === "uploading" && h("p", { class: "hint uploaded" }, t("uploaded", { part: bytes(0), size: bytes(size) })),
      h(
        "div",
        { class: "buttons" },
        (state === "uploading" || state === "waiting") &&
          small(t("cancelUpload"), "close", () => pendingSends.drop(pending)),
        (state === "unanswered" || state === "refused") &&
          small(t("again"), "retry", () => pendingSends.again(pending)),
        state === "refused" &&
          kind === "text" &&
          small(t("edit"), "recall", () => {
            pendingSends.drop(pending);
            write.edit(text);
          }),
        (state === "refused" || state === "unanswered") &&
          small(t("discard"), "trash", () => discard(() => pendingSends.drop(pending))),
      ),
    ]);
  }

  /** Ask whether a message that was not sent is to be deleted; the next step is to write another. */
  function discard(doing) {
    confirm(frame, { title: t("discardTitle"), hint: t("discardHint"), words: t("discard") }, async () => {
      await doing();
      write.focus();
    });
  }

  function showPart({ key, part, size }) {
    const node = nodes.get(`p${key}`);
    const bar = node?.querySelector("progress");
    if (!bar) return;
    bar.value = part;
    fill(node.querySelector(".uploaded"), t("uploaded", { part: bytes(part * size), size: bytes(size) }));
  }

  function bubble({ isMine, name, words, time = 0, face: picture = null }, inside, below) {
    return h(
      "article",
      { class: isMine ? "message is-mine" : "message", tabindex: "-1", "aria-label": `${name}: ${words}` },
      !isMine && picture,
      h(
        "div",
        { class: "message-body" },
        !isMine && h("p", { class: "sender", dir: "auto" }, name),
        h("div", { class: "bubble", title: time ? exactTime(time) : null }, inside),
        h("div", { class: "below" }, below),
      ),
    );
  }

  function pill(state, words) {
    const look = { sent: "is-good", failed: "is-bad", unknown: "is-bad" }[state] ?? "";
    return h("span", { class: `pill ${look}` }, state === "sent" && icon("check"), said(words));
  }

  function small(words, picture, act) {
    return button(words, act, { kind: "is-small", picture });
  }

  /** Make a button for a request after which the messages are read again. */
  function action(words, picture, request) {
    const made = small(words, picture, () =>
      frame.act(
        async () => {
          await request();
          refresh();
        },
        { by: made },
      ),
    );
    return made;
  }

  // -- recall --------------------------------------------------------------------------------------------------------

  /** Make the button to recall a message, with the time that is left; nothing for an old message. */
  function recallLine(at, request) {
    if (Date.now() / 1000 - at > RECALL_WINDOW) return null;
    const recall = action(t("recall"), "recall", () => call("POST", request));
    set(recall, "title", t("recallLimit"));
    return h("div", { class: "recall", "data-until": at + RECALL_WINDOW }, recall, h("span", { class: "faint" }, left(at)));
  }

  function left(at) {
    return t("recallWithin", { time: countdown(at + RECALL_WINDOW - Date.now() / 1000) });
  }

  const ticking = setInterval(() => {
    for (const line of log.querySelectorAll(".recall")) {
      const end = Number(line.dataset.until);
      if (end > Date.now() / 1000) fill(line.lastChild, left(end - RECALL_WINDOW));
      else line.replaceWith(h("p", { class: "hint" }, t("tooLate")));
    }
  }, 1000);

  // -- unread messages -----------------------------------------------------------------------------------------------

  /** Whether the newest messages of a chat are in view. */
  function isInView(number, id) {
    if (number !== account || id !== chat || !isOpen || !isLoaded) return false;
    return isAtEnd && !until && !document.hidden && element.isConnected && element.checkVisibility();
  }

  function see() {
    if (isInView(account, chat)) unread.see(account, chat);
  }

  unread.watch(isInView);
  document.addEventListener("visibilitychange", see);
  const endUnread = unread.on(see);

  // -- places in the log ---------------------------------------------------------------------------------------------

  function toEnd() {
    scroller.scrollTop = scroller.scrollHeight;
    isAtEnd = true;
    if (!until) jump.hidden = true;
    see();
  }

  /** Go to the newest message, also when older messages are shown. */
  function toNewest() {
    if (until) {
      open(chat);
      return;
    }
    isAtEnd = true;
    draw();
  }

  /** Only a move upwards leaves the end: the content may have grown since the scrolling that this event reports. */
  function scrolled() {
    const isUp = scroller.scrollTop < lastTop;
    lastTop = scroller.scrollTop;
    const isAtBottom = scroller.scrollHeight - lastTop - scroller.clientHeight < NEAR;
    if (isAtBottom && showsNewest()) isAtEnd = true;
    else if (isAtBottom) moveTo(first + PAGE);
    else if (isUp) isAtEnd = false;
    if (isAtEnd && !until) jump.hidden = true;
    see();
    readOn();
  }

  /** Read older entries as long as the beginning is in view: no event reports a scrolling that ends during a request. */
  async function readOn() {
    if (earlier.hasAttribute("aria-disabled")) return;
    const isMore = () => entries.length > 0 && (before !== null || first > 0);
    while (isOpen && !isAtEnd && isMore() && scroller.clientHeight > 0 && scroller.scrollTop < NEAR) {
      if (!(await frame.act(readEarlier, { isOfUser: false, by: earlier }))) return;
    }
  }

  function messages() {
    return messagesIn(log);
  }

  log.addEventListener("keydown", (event) =>
    moveByKey(event, log, { go: (message) => message.focus(), before: () => earlier.focus(), after: () => write.focus() }),
  );

  // -- actions -------------------------------------------------------------------------------------------------------

  async function markAsRead() {
    const read = chat;
    await call("POST", `${path}/contacts/${encodeURIComponent(read)}/read`);
    unread.see(account, read);
    frame.notify(t("markedRead"));
  }

  /** Handle an event of this account. */
  function hear(event) {
    if (event.chat !== chat) return;
    if (!isAtEnd) jump.hidden = false;
    refresh();
  }

  // A picture that arrives late must not push the newest message out of view.
  const sizes = new ResizeObserver(() => isAtEnd && toEnd());
  sizes.observe(log);
  sizes.observe(scroller);
  const endPending = pendingSends.on((pending) => {
    if (pending.account !== account || pending.chat !== chat) return;
    draw();
    if (pending.isDone) refresh();
  });

  return {
    element,
    open,
    hear,
    refresh,
    label,
    leave() {
      isOpen = false;
      refuseFiles();
      endUnread();
      document.removeEventListener("visibilitychange", see);
      sizes.disconnect();
      endPending();
      clearInterval(ticking);
      clearTimeout(lookTimer);
    },
  };
}
