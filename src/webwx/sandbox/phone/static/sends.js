// What is sent from this page: to each chat one after another, in the order in which it was written.

import { act, Unanswered } from "./control.js";
import { newKey } from "./transfer.js";

/** Milliseconds after which a text on its way is shown. */
const SHOWN_AFTER = 300;

const lines = new Map(); // by place: what ends after everything that was to be sent there

/** Run `doing` after everything that was to be sent to the same place before. */
export function inTurn(place, doing) {
  const turn = (lines.get(place) ?? Promise.resolve()).then(doing);
  const end = turn.catch(() => {});
  lines.set(place, end);
  end.then(() => lines.get(place) === end && lines.delete(place));
  return turn;
}

/**
 * The texts that are not sent yet. One without an answer stays in `tray`, with its idempotency key, so that it is sent once
 * when it is tried again; the later ones to the same place wait for it. `sent(place)` is called after each, and
 * `giveBack(place, text, reason)` gets the text that was refused, with those behind it.
 */
export class UnsentTexts {
  #items = []; // {place, text, verb, fields, key, state, reason}

  constructor({ tray, sent, giveBack }) {
    Object.assign(this, { tray, sent, giveBack });
  }

  /** Send a text by an action of the control API. */
  send(place, verb, fields) {
    const item = { place, text: fields.text, verb, fields, key: newKey(), state: "waiting", reason: "", part: 0 };
    item.again = () => this.#go(item);
    item.edit = () => this.#take(item, "");
    this.#items.push(item);
    setTimeout(() => this.#items.includes(item) && this.tray.put(item), SHOWN_AFTER);
    this.#go(item);
  }

  /** Remove a text without sending it; the ones behind it go on. */
  drop(item) {
    this.#remove(item);
    this.#goOn(item.place);
  }

  /** The texts that are not sent yet, by place. */
  byPlace() {
    return Map.groupBy(this.#items, ({ place }) => place);
  }

  #go(item) {
    return inTurn(item.place, () => this.#transmit(item));
  }

  async #transmit(item) {
    const before = this.#items.filter(({ place }) => place === item.place).indexOf(item);
    if (before !== 0) return; // it was sent or removed, or an earlier one has no answer
    this.tray.update(item, { state: "waiting", reason: "" });
    try {
      await act(item.verb, item.fields, item.key);
    } catch (error) {
      if (!this.#items.includes(item)) return; // the user has removed it or taken it back meanwhile
      if (error instanceof Unanswered) this.#hold(item, error.message);
      else this.#take(item, error);
      return;
    }
    this.#remove(item);
    this.sent(item.place);
    this.#goOn(item.place);
  }

  #hold(item, reason) {
    this.tray.put(item);
    this.tray.update(item, { state: "refused", reason });
  }

  /** Return a text to the field, with those behind it, which would be sent before it. */
  #take(item, error) {
    const here = this.#items.filter(({ place }) => place === item.place);
    const taken = here.slice(here.indexOf(item));
    for (const each of taken) this.#remove(each);
    this.giveBack(item.place, taken.map(({ text }) => text).join("\n"), error);
  }

  #remove(item) {
    this.#items = this.#items.filter((each) => each !== item);
    this.tray.remove(item);
  }

  #goOn(place) {
    for (const item of this.#items) if (item.place === place) this.#go(item);
  }
}
