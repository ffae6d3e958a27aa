// The WebSocket that receives updates. After an interruption it reconnects by itself and receives the complete state.

import { at } from "./addresses.js";
import { Pauses } from "./repeat.js";

/** Milliseconds until the first and the last repetition of a connection. */
const PAUSES = { first: 250, longest: 8000 };

class Live extends EventTarget {
  #hears = new Map();
  #socket = null;
  #pauses = new Pauses(PAUSES);
  isOpen = false;

  /** Call `listener` with every message of a kind; `opened` and `lost` are events of this object. */
  on(kind, listener) {
    if (!this.#hears.has(kind)) this.#hears.set(kind, []);
    this.#hears.get(kind).push(listener);
  }

  /** Send a message to the server; without a connection it is dropped, because its sender repeats it on `opened`. */
  say(kind, fields = {}) {
    if (this.isOpen) this.#socket.send(JSON.stringify({ kind, ...fields }));
  }

  connect() {
    this.#socket = new WebSocket(at("phone/live").replace(/^http/, "ws"));
    this.#socket.addEventListener("open", () => {
      this.isOpen = true;
      this.#pauses.reset();
      this.dispatchEvent(new Event("opened"));
    });
    this.#socket.addEventListener("message", (event) => {
      const update = JSON.parse(event.data);
      for (const listener of this.#hears.get(update.kind) ?? []) listener(update);
    });
    this.#socket.addEventListener("close", () => {
      this.isOpen = false;
      this.dispatchEvent(new Event("lost"));
      setTimeout(() => this.connect(), this.#pauses.next());
    });
  }
}

export const live = new Live();
