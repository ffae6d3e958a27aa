// The events of all accounts as they are stored: one connection for all screens. After a break it continues behind the
// last event; what the gateway has deleted meanwhile is announced as `reset`.

import { address } from "./api.js";

/** Milliseconds until a connection is tried again that the browser has given up. */
const RETRY = 2000;

class Live extends EventTarget {
  /** `connecting`, `open` or `lost`. */
  state = "connecting";
  #source = null;
  #cursor = "";
  #accounts = new Set();
  #timer = 0;

  /**
   * Call `listener(detail)` for each `event`, `account.state` or `reset`, or for a change of the connection: `state`;
   * `refused`: the gateway has not accepted it. Returns a function that ends this.
   */
  on(kind, listener) {
    const hear = ({ detail }) => listener(detail);
    this.addEventListener(kind, hear);
    return () => this.removeEventListener(kind, hear);
  }

  connect() {
    this.close();
    this.#become("connecting");
    const source = new EventSource(address(`/events/stream${this.#cursor && `?${new URLSearchParams({ after: this.#cursor })}`}`));
    this.#source = source;
    source.addEventListener("open", () => this.#become("open"));
    source.addEventListener("error", () => this.#fail(source));
    source.addEventListener("message", (event) => {
      this.#cursor = event.lastEventId;
      this.#emit("event", JSON.parse(event.data));
    });
    source.addEventListener("account.state", (event) => this.#emit("account.state", JSON.parse(event.data)));
    source.addEventListener("reset", (event) => {
      this.#cursor = JSON.parse(event.data).cursor;
      this.#emit("reset");
    });
  }

  /** Include these accounts: the stream has those that were there when it began. */
  cover(numbers) {
    const isNew = numbers.some((number) => !this.#accounts.has(number));
    this.#accounts = new Set(numbers);
    if (isNew || !this.#source) this.connect();
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #fail(source) {
    this.#become("lost");
    if (source.readyState !== EventSource.CLOSED) return; // the browser connects again
    this.#emit("refused");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#source === source && this.connect(), RETRY);
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.#emit("state", state);
  }

  #emit(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

export const live = new Live();
