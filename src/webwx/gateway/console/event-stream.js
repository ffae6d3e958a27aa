// A stream of server-sent events with headers of its own, which an `EventSource` cannot send. It is used like one.

import { Pauses } from "./repeat.js";

/** Milliseconds until a broken stream is opened again, unless the server names another time, and after several failures. */
const PAUSES = { first: 3000, longest: 6000 };

/** Milliseconds without a byte after which a connection counts as broken; the gateway sends something every 15 seconds. */
const SILENCE = 40_000;

/**
 * Dispatches `open`, `error` and the events of the stream. After a broken connection it continues behind the last event;
 * after a refusal it is closed, as an `EventSource` is.
 */
export class EventStream extends EventTarget {
  /** Whether the stream was refused or closed, so that it does not continue. */
  isClosed = false;
  /** Whether the gateway has accepted a connection. */
  hasOpened = false;
  #url;
  #headers;
  #abort = new AbortController(); // of the present connection
  #lastId = "";
  #pauses = new Pauses(PAUSES);

  /** Open the stream of an address; `headers()` returns the headers of each request. */
  constructor(url, headers) {
    super();
    this.#url = url;
    this.#headers = headers;
    this.#run();
  }

  /** Id of the last event, or of the begin of the stream; a new stream continues after it. */
  get lastEventId() {
    return this.#lastId;
  }

  close() {
    this.isClosed = true;
    this.#abort.abort();
  }

  async #run() {
    while (!this.isClosed) {
      try {
        await this.#read();
      } catch {
        // The connection broke, or `close` has ended it.
      }
      if (this.isClosed && this.#abort.signal.aborted) return;
      this.dispatchEvent(new Event("error"));
      if (!this.isClosed) await new Promise((resolve) => setTimeout(resolve, this.#pauses.next()));
    }
  }

  /** Make one request, and dispatch its events until the connection ends, or is silent for too long. */
  async #read() {
    const abort = new AbortController();
    this.#abort = abort;
    let timer = 0;
    const waitOn = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), SILENCE);
    };
    waitOn();
    try {
      await this.#readPieces(waitOn);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Make one request, and dispatch its events; `onPiece` is called for everything that arrives. */
  async #readPieces(onPiece) {
    const answer = await fetch(this.#url, {
      cache: "no-store",
      headers: {
        ...this.#headers(),
        Accept: "text/event-stream",
        ...(this.#lastId ? { "Last-Event-ID": this.#lastId } : {}),
      },
      signal: this.#abort.signal,
    });
    if (answer.status !== 200 || !answer.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      this.isClosed = true;
      return;
    }
    this.hasOpened = true;
    this.#pauses.reset();
    this.dispatchEvent(new Event("open"));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let unread = "";
    let fields = {};
    for (;;) {
      const { done, value } = await reader.read();
      onPiece();
      if (done || this.isClosed) return;
      const lines = (unread + value).split(/\r\n|\n|\r(?!$)/);
      unread = lines.pop();
      for (const line of lines) fields = this.#take(line, fields);
    }
  }

  /** Add a line to the fields of an event, or dispatch the event at an empty line. Returns the fields of the next event. */
  #take(line, fields) {
    if (line === "") {
      this.#lastId = fields.id ?? this.#lastId;
      if (fields.data !== undefined && !this.isClosed) {
        const { data, event: type = "message" } = fields;
        this.dispatchEvent(new MessageEvent(type || "message", { data, lastEventId: this.#lastId }));
      }
      return {};
    }
    const [name, value] = line.includes(":") ? line.split(/: ?(.*)/s) : [line, ""];
    if (name === "data") return { ...fields, data: fields.data === undefined ? value : `${fields.data}\n${value}` };
    if (name === "event") return { ...fields, event: value };
    if (name === "id" && !value.includes("\0")) return { ...fields, id: value };
    if (name === "retry" && /^\d+$/.test(value)) this.#pauses = new Pauses({ ...PAUSES, first: Number(value) });
    return fields;
  }
}
