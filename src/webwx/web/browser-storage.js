// The storage of the browser. A browser may refuse it, as in a private window, and it may be full: a page goes on without it,
// and what it stores then lasts until it is left.

class BrowserStorage {
  #open;
  #unstored = new Map();

  /** `open` returns the storage; it may throw. */
  constructor(open) {
    this.#open = open;
  }

  /** Return the text that is stored under a key; null if nothing is stored. */
  get(key) {
    return this.#unstored.get(key) ?? this.#use((storage) => storage.getItem(key));
  }

  /** Keep a text; return whether it is stored, so that it outlasts the page. */
  set(key, text) {
    const isStored = this.#use((storage) => {
      storage.setItem(key, text);
      return true;
    });
    if (isStored) this.#unstored.delete(key);
    else this.#unstored.set(key, String(text));
    return isStored === true;
  }

  remove(key) {
    this.#unstored.delete(key);
    this.#use((storage) => storage.removeItem(key));
  }

  /** Return all keys. */
  keys() {
    return [...new Set([...(this.#use(Object.keys) ?? []), ...this.#unstored.keys()])];
  }

  #use(doing) {
    try {
      return doing(this.#open());
    } catch (error) {
      if (error instanceof DOMException) return null; // refused or full
      throw error;
    }
  }
}

/** What all tabs share, and later visits. */
export const stored = new BrowserStorage(() => localStorage);

/** What one tab keeps until it is closed. */
export const storedInTab = new BrowserStorage(() => sessionStorage);
