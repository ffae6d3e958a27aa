// Failed requests are made again in one way: after growing pauses, and not after the end of what wanted them.

/** Growing pauses in milliseconds, each up to a quarter shorter or longer, so that several pages do not come together. */
export class Pauses {
  #next;

  constructor({ first = 500, longest = 8000 } = {}) {
    Object.assign(this, { first, longest: Math.max(first, longest) });
    this.reset();
  }

  /** Return the next pause. */
  next() {
    const pause = this.#next;
    this.#next = Math.min(pause * 2, this.longest);
    return pause * (0.75 + Math.random() / 2);
  }

  /** Begin with the first pause again, after a success. */
  reset() {
    this.#next = this.first;
  }
}

/**
 * Run `doing` until it succeeds, and return its result. A failure for which `isPassing(error)` returns true is given to
 * `report(error)`, which shows it, and `doing` runs again after a pause. Throws the error of the last one of `most` failures,
 * one that does not pass, and the present one after `signal` was aborted.
 */
export async function repeat(doing, { isPassing, report = () => {}, most = 4, signal = null, pauses = new Pauses() }) {
  for (let failures = 1; ; failures++) {
    try {
      return await doing();
    } catch (error) {
      if (failures >= most || signal?.aborted || !isPassing(error)) throw error;
      report(error);
      await pause(pauses.next(), signal);
      if (signal?.aborted) throw error;
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
