// What is sent from this page: to each chat one after another, in the order in which it was written.

import { act, Unanswered } from "./control.js";
import { newKey } from "./transfer.js";
import { UnansweredRequests } from "./unanswered.js";

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
 * when it is tried again, also after a reload; the later ones to the same place wait for it. `sent(place)` is called after
 * each, and `giveBack(place, text, reason)` gets the text that was refused, with those behind it.
 */
export class UnsentTexts {
  #items = []; // {place, text, verb, fields, key, state, reason, isKept}
  #kept = new UnansweredRequests("webwx.phone.unsent");
  #isLeft = false; // the page is being left, which breaks what is on its way; the next page sends it again

  constructor({ tray, sent, giveBack }) {
    Object.assign(this, { tray, sent, giveBack });
    this.#kept.onRemoved((key) => this.#removeKey(key));
    addEventListener("pagehide", () => (this.#isLeft = true));
    addEventListener("pageshow", () => (this.#isLeft = false));
  }

  /** Send a text by an action of the control API. */
  send(place, verb, fields) {
    const item = this.#add({ place, verb, fields, key: newKey(), reason: "" });
    setTimeout(() => this.#items.includes(item) && this.tray.put(item), SHOWN_AFTER);
    this.#go(item);
  }

  /** Go on with what an earlier page has left: what was on its way is sent, and what had no answer waits for the user. */
  restore() {
    const items = this.#kept.all().map((request) => this.#add(request));
    for (const item of items) this.tray.put(item);
    for (const item of items) if (item.state === "waiting") this.#go(item);
  }

  /** Remove a text without sending it; the ones behind it go on. */
  drop(item) {
    this.#remove(item);
    this.#goOn(item.place);
  }

  /** Remove the texts to places that exist no longer. */
  forget(isGone) {
    for (const item of this.#items) if (isGone(item.place)) this.#remove(item);
  }

  /** The texts that are not sent yet and that a reload would lose, by place. */
  lostByReload() {
    return Map.groupBy(this.#items.filter(({ isKept }) => !isKept), ({ place }) => place);
  }

  #add({ place, verb, fields, key, reason }) {
    const state = reason ? "refused" : "waiting";
    const item = { place, text: fields.text, verb, fields, key, state, reason, part: 0 };
    item.again = () => this.#go(item);
    item.edit = () => this.#take(item, "");
    this.#items.push(item);
    this.#keep(item);
    return item;
  }

  #keep(item) {
    const { place, verb, fields, key, reason } = item;
    item.isKept = this.#kept.keep({ place, verb, fields, key, reason });
  }

  #go(item) {
    return inTurn(item.place, () => this.#transmit(item));
  }

  async #transmit(item) {
    const before = this.#items.filter(({ place }) => place === item.place).indexOf(item);
    if (before !== 0) return; // it was sent or removed, or an earlier one has no answer
    this.tray.update(item, { state: "waiting", reason: "" });
    this.#keep(item);
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
    if (!this.#isLeft) this.#keep(item);
  }

  /**
   * Return a text to the field, with those behind it, which would be sent before it. What is sent from there is another message
   * with a key of its own: with the earlier key, the answer would be that for the earlier text, and the new one would be lost.
   */
  #take(item, error) {
    const here = this.#items.filter(({ place }) => place === item.place);
    const taken = here.slice(here.indexOf(item));
    for (const each of taken) this.#remove(each);
    this.giveBack(item.place, taken.map(({ text }) => text).join("\n"), error);
  }

  #remove(item) {
    this.#items = this.#items.filter((each) => each !== item);
    this.#kept.remove(item.key);
    this.tray.remove(item);
  }

  /** Another tab has sent or removed a text. */
  #removeKey(key) {
    const item = this.#items.find((each) => each.key === key);
    if (item) this.drop(item);
  }

  #goOn(place) {
    for (const item of this.#items) if (item.place === place) this.#go(item);
  }
}
