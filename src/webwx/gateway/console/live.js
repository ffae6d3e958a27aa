// The events of all accounts as they are stored, over one connection for all screens. A new connection continues after the
// last event; `reset` reports that the gateway has deleted later events.

import { openStream } from "./api.js";
import { Pauses } from "./repeat.js";

/** Milliseconds until a new connection is opened after the gateway has refused one, and after it has refused several. */
const PAUSES = { first: 2000, longest: 16_000 };

/**
 * Milliseconds after which a hidden page gives its connection up. A browser opens six to the gateway for all its tabs, so
 * six streams would leave none for anything else.
 */
const HIDDEN = 30_000;

/** Every type of event, and the changes of sends, which a stream has only if they are named. */
const TYPES = "*,send.changed";

class Live extends EventTarget {
  /** `connecting`, `open` or `lost`. */
  state = "connecting";
  #source = null;
  #cursor = null; // until a stream has begun; empty: before the first event of all
  #accounts = new Set();
  #timer = 0;
  #pauses = new Pauses(PAUSES);
  #hiding = 0;
  #isPaused = false; // the page is hidden

  constructor() {
    super();
    document.addEventListener("visibilitychange", () => this.#follow());
  }

  /**
   * Call `listener(detail)` for each `event`, `account.state`, `send.changed` or `reset`, for a change of the connection
   * (`state`), or when the gateway refuses the connection (`refused`). `open` is the moment from which nothing is missed: a
   * screen reads again what may have changed before. Returns a function that ends this.
   */
  on(kind, listener) {
    const hear = ({ detail }) => listener(detail);
    this.addEventListener(kind, hear);
    return () => this.removeEventListener(kind, hear);
  }

  /** The cursor after the last event; null before a stream has begun. */
  get cursor() {
    return this.#source?.lastEventId || this.#cursor;
  }

  connect() {
    this.close();
    this.#become("connecting");
    const query = { types: TYPES, ...(this.#cursor !== null && { after: this.#cursor }) };
    const source = openStream(`/events/stream?${new URLSearchParams(query)}`);
    this.#source = source;
    source.addEventListener("open", () => {
      this.#pauses.reset();
      this.#become("open");
      this.#emit("open");
    });
    source.addEventListener("error", () => this.#fail(source));
    source.addEventListener("message", (event) => this.#emit("event", JSON.parse(event.data)));
    source.addEventListener("account.state", (event) => this.#emit("account.state", JSON.parse(event.data)));
    source.addEventListener("send.changed", (event) => this.#emit("send.changed", JSON.parse(event.data)));
    source.addEventListener("reset", () => this.#emit("reset"));
    this.#follow(); // a page may be opened in the background
  }

  /** Include these accounts: a stream has only the accounts that existed when it began. */
  cover(numbers) {
    const isNew = numbers.some((number) => !this.#accounts.has(number));
    this.#accounts = new Set(numbers);
    if (!this.#isPaused && (isNew || !this.#source)) this.connect();
  }

  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#hiding);
    this.#source?.close();
    if (this.#source?.hasOpened) this.#cursor = this.#source.lastEventId || (this.#cursor ?? "");
    this.#source = null;
  }

  /** Pause some time after the page was hidden, and continue when it is shown. */
  #follow() {
    clearTimeout(this.#hiding);
    if (this.#isPaused && !document.hidden) {
      this.#isPaused = false;
      this.connect();
    } else if (document.hidden && this.#source) {
      this.#hiding = setTimeout(() => {
        this.close();
        this.#isPaused = true;
        this.#become("connecting");
      }, HIDDEN);
    }
  }

  #fail(source) {
    this.#become("lost");
    if (!source.isClosed) return; // the stream connects again
    this.#emit("refused");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#source === source && this.connect(), this.#pauses.next());
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
