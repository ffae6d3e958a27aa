// The unread messages of all chats: those that arrived since this browser first opened the console, and that were neither
// in view here nor read on the phone. They are kept in the storage of the browser, by the numbers of their events, so that
// every tab and a reload counts each of them once.

import { call, Problem, ROOT } from "./api.js";
import { stored } from "./browser-storage.js";
import { live } from "./live.js";
import { isNotice } from "./message-content.js";

const KEY = `webwx.unread${ROOT}`;

/** Number of messages of a chat that are counted; the page shows `99+` before. */
const MOST = 100;

/** Number of chats of an account whose unread messages, and whose last read message, are kept. */
const CHATS = 500;

/** Events of a page, and pages, that are read to catch up. */
const PAGE = 1000;
const PAGES = 20;

/** Milliseconds during which changes are collected before they are stored. */
const AT_ONCE = 200;

/** Codes of the phone's actions after which all messages of a chat are read: read, opened and left. */
const READ_ON_PHONE = new Set([1, 2, 5]);

class Unread extends EventTarget {
  /** By account: {unread, seen}: by chat the numbers of unread messages, and the number up to which they were read. */
  #accounts = new Map();
  #cursor = null; // up to which all events are counted; null before the first visit
  #state = "behind"; // `reading` what is missing before the live events, and then `current`
  #isInView = () => false;
  #timer = 0;
  #ends = [];

  /** Count until `leave()`. */
  begin() {
    this.leave();
    this.#merge(lastStored());
    const hear = (event) => event.key === KEY && this.#merge(lastStored());
    const save = () => this.#save();
    addEventListener("storage", hear);
    addEventListener("pagehide", save);
    this.#ends = [
      live.on("event", (event) => this.#count([event])),
      live.on("open", () => this.#catchUp()),
      live.on("reset", () => this.#startOver()),
      () => removeEventListener("storage", hear),
      () => removeEventListener("pagehide", save),
    ];
    if (live.state === "open") this.#catchUp();
  }

  leave() {
    for (const end of this.#ends) end();
    this.#ends = [];
    clearTimeout(this.#timer);
  }

  /** Forget everything, because the session has ended. */
  clear() {
    this.leave();
    this.#accounts.clear();
    this.#cursor = null;
    this.#state = "behind";
    stored.remove(KEY);
  }

  /** Call `listener()` after each change. Returns a function that ends this. */
  on(listener) {
    this.addEventListener("change", listener);
    return () => this.removeEventListener("change", listener);
  }

  /** Return the number of unread messages in a chat, 100 for more. */
  of(account, chat) {
    return this.#accounts.get(account)?.unread.get(chat)?.length ?? 0;
  }

  /** The ids of the chats of an account that have unread messages. */
  chatsOf(account) {
    return [...(this.#accounts.get(account)?.unread.keys() ?? [])];
  }

  /** Return the number of unread messages of all accounts. */
  total() {
    const chats = [...this.#accounts.values()].flatMap(({ unread }) => [...unread.values()]);
    return chats.reduce((sum, numbers) => sum + numbers.length, 0);
  }

  /** Forget all accounts but these; the others were removed. */
  keepOnly(accounts) {
    const gone = [...this.#accounts.keys()].filter((number) => !accounts.includes(number));
    for (const number of gone) this.#accounts.delete(number);
    if (gone.length) this.#changed();
  }

  /** Set the function of an account and a chat that returns whether its newest messages are in view. */
  watch(isInView) {
    this.#isInView = isInView;
  }

  /** Mark all messages of a chat as read; here only, not on the phone. */
  see(account, chat) {
    const newest = this.#accounts.get(account)?.unread.get(chat)?.at(-1);
    if (newest) this.#see(account, chat, newest);
  }

  /** Count the messages of a chat for another id, which the chat has in a new login. */
  move(account, chat, other) {
    const { unread } = this.#of(account);
    this.#put(account, other, [...(unread.get(other) ?? []), ...(unread.get(chat) ?? [])]);
    this.see(account, chat);
  }

  #of(account) {
    if (!this.#accounts.has(account)) this.#accounts.set(account, { unread: new Map(), seen: new Map() });
    return this.#accounts.get(account);
  }

  #see(account, chat, number) {
    const { unread, seen } = this.#of(account);
    seen.set(chat, Math.max(number, seen.get(chat) ?? 0));
    this.#put(account, chat, unread.get(chat) ?? []);
    if (seen.size > CHATS) seen.delete([...seen].reduce((one, other) => (other[1] < one[1] ? other : one))[0]);
    this.#changed();
  }

  /** Set the unread messages of a chat: of these numbers those that were not read. */
  #put(account, chat, numbers) {
    const { unread, seen } = this.#of(account);
    const left = [...new Set(numbers)].filter((number) => number > (seen.get(chat) ?? 0)).sort((one, other) => one - other);
    unread.delete(chat); // the chats with the latest changes are last
    if (left.length) unread.set(chat, left.slice(-MOST));
    if (unread.size > CHATS) unread.delete(unread.keys().next().value);
  }

  #count(events) {
    for (const event of events) {
      const { account, chat, number, type } = event;
      if (!chat) continue;
      if (type === "phone.activity" && READ_ON_PHONE.has(event.data.code)) this.#see(account, chat, number);
      if (!type.startsWith("message.") || event.is_self || isNotice(event)) continue;
      if (this.#isInView(account, chat)) this.#see(account, chat, number);
      else this.#put(account, chat, [...(this.#of(account).unread.get(chat) ?? []), number]);
    }
    this.#changed();
  }

  /** Count what has arrived since the stored cursor, while no page was open. */
  async #catchUp() {
    if (this.#state !== "behind") return;
    this.#state = "reading";
    try {
      if (this.#cursor !== null) await this.#read(this.#cursor);
    } catch (error) {
      if (!(error instanceof Problem || error instanceof TypeError)) throw error;
      // A refused cursor is of another journal than that of this gateway: begin again. Otherwise the next connection tries again.
      const isRefused = error instanceof Problem && (error.status === 400 || error.status === 422);
      if (isRefused) this.#startOver();
      else this.#state = "behind";
    }
    if (this.#state === "reading") this.#state = "current";
    this.#changed();
  }

  async #read(cursor) {
    for (let pages = 0; pages < PAGES; pages++) {
      const query = new URLSearchParams({ after: cursor, types: "message.*,phone.activity", limit: PAGE });
      const { events, next, lost } = await call("GET", `/events?${query}`);
      if (lost) this.#startOver();
      this.#count(events);
      if (next === cursor) return;
      cursor = next;
    }
  }

  /** Forget all numbers: the gateway has deleted events that were not counted, or has another journal than before. */
  #startOver() {
    this.#accounts.clear();
    this.#changed();
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), AT_ONCE);
    this.dispatchEvent(new Event("change"));
  }

  #save() {
    if (this.#state === "current") this.#cursor = live.cursor ?? this.#cursor;
    if (!this.#ends.length || this.#cursor === null) return;
    const accounts = [...this.#accounts].map(([account, { unread, seen }]) => [account, [...unread], [...seen]]);
    stored.set(KEY, JSON.stringify({ cursor: this.#cursor, accounts }));
  }

  /** Add what another tab or an earlier visit has stored. */
  #merge({ cursor = null, accounts = [] }) {
    this.#cursor ??= cursor;
    for (const [account, unread, seen] of accounts) {
      const own = this.#of(account);
      for (const [chat, number] of seen) own.seen.set(chat, Math.max(number, own.seen.get(chat) ?? 0));
      const chats = new Set([...own.unread.keys(), ...unread.map(([chat]) => chat)]);
      const theirs = new Map(unread);
      for (const chat of chats) this.#put(account, chat, [...(own.unread.get(chat) ?? []), ...(theirs.get(chat) ?? [])]);
    }
    this.dispatchEvent(new Event("change"));
  }
}

function lastStored() {
  try {
    return JSON.parse(stored.get(KEY)) ?? {};
  } catch {
    return {};
  }
}

export const unread = new Unread();
