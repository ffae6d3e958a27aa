// The state of the world in this page: the last snapshot with every later difference applied.

import { live } from "./live.js";

class Store extends EventTarget {
  /** People by world id: {id, nickname, picture, signature, region}. */
  people = new Map();
  clock = { now: 0, runs: true, heard: 0 };
  /** Waiting logins, and open ones. */
  logins = { waiting: [], open: [] };
  /** World ids of the owner of the phone and of the open chat. */
  who = "";
  chat = "";
  isKnown = false;
  /** Chats by id: {id, order, time, unread, pinned, last}. */
  rows = new Map();
  friends = new Map();
  rooms = new Map();
  asked = [];
  /** All members of the chatroom that is shown. */
  room = "";
  members = [];
  /** Messages of the open chat, oldest first; older ones are requested on demand. */
  messages = [];
  hasMore = false;
  isLoaded = false;
  /** The searched words and the result: {words, hits}. */
  wanted = "";
  found = { words: "", hits: [] };

  /**
   * Call `listener` when one of the topics changes: people, clock, logins, place, rows, contacts, members, messages,
   * found.
   * Returns a function that ends the subscription.
   */
  on(topics, listener) {
    const hear = (event) => listener(event.detail);
    for (const topic of topics.split(" ")) this.addEventListener(topic, hear);
    return () => topics.split(" ").forEach((topic) => this.removeEventListener(topic, hear));
  }

  changed(topic, detail) {
    this.dispatchEvent(new CustomEvent(topic, { detail }));
  }

  /** Select a phone, a chat on it, and a chatroom's members. */
  look(who, chat = "", room = "") {
    if (who !== this.who) this.#forgetPhone();
    if (who !== this.who || chat !== this.chat) this.#forgetChat();
    const isElsewhere = who !== this.who || chat !== this.chat || room !== this.room;
    if (isElsewhere) this.members = [];
    Object.assign(this, { who, chat, room });
    if (isElsewhere) this.#sayWhere();
    this.changed("place");
  }

  /** The world's time, in seconds since 1970. */
  now() {
    return this.clock.now + (this.clock.runs ? (performance.now() - this.clock.heard) / 1000 : 0);
  }

  person(id) {
    return this.people.get(id) ?? { id, nickname: BUILTIN[id] ?? id, picture: id };
  }

  unread() {
    return [...this.rows.values()].reduce((sum, row) => sum + (row.unread ?? 0), 0);
  }

  login(who) {
    return this.logins.open.find((each) => each.who === who);
  }

  start() {
    live.addEventListener("opened", () => {
      this.people = new Map();
      this.#sayWhere();
    });
    live.on("people", ({ people }) => {
      for (const each of people) this.people.set(each.id, each);
      this.changed("people");
    });
    live.on("clock", ({ now, runs = false }) => {
      this.clock = { now, runs, heard: performance.now() };
      this.changed("clock");
    });
    live.on("logins", ({ waiting, open }) => {
      this.logins = { waiting, open };
      this.changed("logins");
    });
    live.on("phone", (update) => this.#hearPhone(update));
    live.on("history", (update) => this.#hearHistory(update));
    live.on("found", ({ who, words, hits }) => {
      if (who !== this.who || words !== this.wanted) return;
      this.found = { words, hits };
      this.changed("found");
    });
    live.on("members", ({ room, members }) => {
      if (room !== (this.room || this.chat)) return;
      this.members = members;
      this.changed("members");
    });
  }

  #sayWhere() {
    if (!this.who) return;
    live.say("look", { who: this.who, chat: this.chat, room: this.room });
    if (this.wanted) live.say("search", { words: this.wanted });
  }

  /** Search all messages of this phone for words; an empty text ends the search. */
  search(words) {
    if (words === this.wanted) return;
    this.wanted = words;
    if (!words) this.found = { words, hits: [] };
    live.say("search", { words });
  }

  /** Request a page of older messages, or all messages back to the one with the id `upto`. */
  askEarlier(upto = "") {
    if (this.messages.length) live.say("earlier", { chat: this.chat, before: this.messages[0].id, upto });
  }

  /** Remove all but the newest messages; the others are requested again on demand. */
  trim(count) {
    if (this.messages.length <= count) return;
    this.messages = this.messages.slice(-count);
    this.hasMore = true;
  }

  #forgetPhone() {
    this.isKnown = false;
    this.rows = new Map();
    this.friends = new Map();
    this.rooms = new Map();
    this.asked = [];
    this.found = { words: "", hits: [] };
  }

  #forgetChat() {
    this.messages = [];
    this.hasMore = false;
    this.isLoaded = false;
  }

  #hearPhone({ who, whole = false, rows = [], emptied = [], friends = [], rooms = [], gone = [], asked }) {
    if (who !== this.who) return;
    if (whole) this.#forgetPhone();
    this.isKnown = true;
    for (const id of gone) {
      this.friends.delete(id);
      this.rooms.delete(id);
    }
    for (const id of emptied) this.rows.delete(id);
    for (const row of rows) this.rows.set(row.id, row);
    for (const friend of friends) this.friends.set(friend.id, friend);
    for (const room of rooms) this.rooms.set(room.id, room);
    if (asked) this.asked = asked;
    if (whole || rows.length || emptied.length) this.changed("rows");
    if (whole || friends.length || rooms.length || gone.length || asked) this.changed("contacts");
  }

  #hearHistory({ who, chat, place, messages = [], deleted = [], more = false }) {
    if (who !== this.who || chat !== this.chat) return;
    if (place === "again") {
      const again = new Map(messages.map((message) => [message.id, message]));
      this.messages = this.messages.map((message) => again.get(message.id) ?? message);
    } else if (place === "before") {
      this.messages = [...messages, ...this.messages];
      this.hasMore = more;
    } else if (place === "deleted") {
      this.messages = this.messages.filter(({ id }) => !deleted.includes(id));
    } else if (place === "all") {
      this.messages = messages;
      this.hasMore = more;
    } else {
      this.messages = [...this.messages, ...messages];
    }
    this.isLoaded = true;
    this.changed("messages", { place, messages, deleted });
  }
}

const BUILTIN = { filehelper: "文件传输助手", weixin: "微信团队" };

export const store = new Store();
