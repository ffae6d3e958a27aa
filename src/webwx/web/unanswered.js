// Requests to send that have no answer yet, in the storage of the browser, so that a reload keeps them with their
// idempotency keys: made again, each of them is done once.

import { stored } from "./browser-storage.js";

/** Number of requests that are kept. */
const MOST = 50;

/** Number of characters of one request that are kept; more than the longest text that is accepted. */
const LONGEST = 20_000;

export class UnansweredRequests {
  #prefix;

  /** `name` begins the keys in the storage; each page of an origin has its own. */
  constructor(name) {
    this.#prefix = `${name}/`;
  }

  /** Return the requests in the order in which they were first kept, as {key, order, ...}. */
  all() {
    const found = stored
      .keys()
      .filter((name) => name.startsWith(this.#prefix))
      .map(read)
      .filter((request) => request !== null);
    return found.sort((one, other) => one.order - other.order);
  }

  /**
   * Keep a request, {key, ...}, in the place of an earlier one with its key. Returns whether it is kept: it is not if it is
   * too long, or if there are too many.
   */
  keep(request) {
    const all = this.all();
    const earlier = all.find(({ key }) => key === request.key);
    if (!earlier && all.length >= MOST) return false;
    const order = earlier?.order ?? Math.max(Date.now(), (all.at(-1)?.order ?? 0) + 1);
    const text = JSON.stringify({ ...request, order });
    return text.length <= LONGEST && stored.set(this.#prefix + request.key, text);
  }

  remove(key) {
    stored.remove(this.#prefix + key);
  }

  /** Call `listener(key)` when another tab has removed a request. */
  onRemoved(listener) {
    addEventListener("storage", ({ key, newValue }) => {
      if (key?.startsWith(this.#prefix) && newValue === null) listener(key.slice(this.#prefix.length));
    });
  }
}

function read(name) {
  try {
    const request = JSON.parse(stored.get(name));
    return typeof request?.key === "string" ? request : null;
  } catch {
    return null;
  }
}
