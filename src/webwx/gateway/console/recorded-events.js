// The newest events since the page was opened, for the screen that lists them; also while another screen is open.

import { live } from "./live.js";

/** Maximum number of events that are kept. */
export const MOST = 500;

class RecordedEvents extends EventTarget {
  /** The newest first: {key, type, account, time, event}. */
  all = [];
  #next = 0;

  constructor() {
    super();
    live.on("event", (event) => this.#add(event.type, event.account, event.time, event));
    live.on("account.state", (account) => this.#add("account.state", account.number, account.since, account));
    live.on("reset", () => this.#add("reset", null, null, null));
  }

  clear() {
    this.all = [];
    this.dispatchEvent(new Event("changed"));
  }

  #add(type, account, time, event) {
    this.#next += 1;
    const stamp = time ?? new Date().toISOString();
    this.all = [{ key: this.#next, type, account, time: stamp, event }, ...this.all].slice(0, MOST);
    this.dispatchEvent(new Event("changed"));
  }
}

export const recordedEvents = new RecordedEvents();
