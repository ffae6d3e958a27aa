// Texts that were typed and not sent yet, in the storage of the browser, so that a reload keeps them.

import { stored } from "./browser-storage.js";

/** Number of drafts that are kept; the one that was changed first is removed. */
const MOST = 50;

/** Number of characters of a draft that are kept. */
const LONGEST = 20_000;

export class Drafts {
  /** `name` begins the keys in the storage; each page of an origin has its own. */
  constructor(name) {
    this.name = name;
  }

  /** Return the draft for a place, such as the chat of an account; "" if there is none. */
  of(place) {
    return stored.get(this.#key(place)) ?? "";
  }

  /** Keep a text as the draft for a place; an empty text removes the draft. */
  keep(place, text) {
    const others = this.places().filter((each) => each !== place);
    const places = text.trim() ? [...others, place] : others;
    for (const each of places.splice(0, places.length - MOST)) stored.remove(this.#key(each));
    stored.set(this.name, JSON.stringify(places));
    if (text.trim()) stored.set(this.#key(place), text.slice(0, LONGEST));
    else stored.remove(this.#key(place));
  }

  /** The places with a draft, the one that was changed first at the beginning. */
  places() {
    try {
      return JSON.parse(stored.get(this.name)) ?? [];
    } catch {
      return [];
    }
  }

  /** Remove the drafts of places that exist no longer. */
  forget(isGone) {
    for (const place of this.places()) if (isGone(place)) this.keep(place, "");
  }

  /** Remove all drafts. */
  clear() {
    for (const place of this.places()) stored.remove(this.#key(place));
    stored.remove(this.name);
  }

  #key(place) {
    return `${this.name}/${place}`;
  }
}
