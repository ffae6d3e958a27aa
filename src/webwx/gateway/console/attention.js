// What needs a look, by screen: unread messages, accounts that are not online, sends with an unknown outcome, sends that wait
// for the owner, and webhooks that fail. It is read when the console begins, after a change that the live connection reports,
// and now and then.

import { isOnline, listAccounts } from "./account-list.js";
import { call, Problem } from "./api.js";
import { drafts } from "./composer.js";
import { fewAtATime } from "./few.js";
import { live } from "./live.js";
import { asksOwner, sendsThatWait } from "./owner-consent.js";
import { unread } from "./unread.js";
import { t } from "./words.js";

/** Milliseconds after which everything is read again. */
const AGAIN = 60_000;

/** Milliseconds during which changes are collected before they are read. */
const AT_ONCE = 500;

/** Maximum number of sends of an account that are read to be counted. */
const SENDS = 100;

class Attention extends EventTarget {
  #counts = { accounts: 0, outbox: 0, programs: 0, webhooks: 0 };
  #timer = 0;
  #end = null;

  /** Return {number, words} for the screen of a name. */
  of(name) {
    const number = name === "chats" ? unread.total() : (this.#counts[name] ?? 0);
    return { number, words: number ? t(`attention_${name}`, { n: number }) : "" };
  }

  /** Call `listener()` after each change of a number. Returns a function that ends this. */
  on(listener) {
    this.addEventListener("change", listener);
    return () => this.removeEventListener("change", listener);
  }

  /** Count until `leave()`. */
  begin() {
    this.leave();
    const soon = () => this.readSoon();
    const ends = [
      live.on("account.state", soon),
      live.on("send.changed", soon),
      live.on("open", soon),
      unread.on(() => this.dispatchEvent(new Event("change"))),
    ];
    this.#end = () => ends.forEach((end) => end());
    soon();
  }

  /** Read everything again in a moment. */
  readSoon() {
    this.#readAfter(AT_ONCE);
  }

  leave() {
    clearTimeout(this.#timer);
    this.#end?.();
    this.#end = null;
  }

  #readAfter(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#read(), milliseconds);
  }

  async #read() {
    try {
      const [accounts, { webhooks }, { programs }] = await Promise.all([
        listAccounts(),
        call("GET", "/webhooks"),
        call("GET", "/programs"),
      ]);
      const numbers = accounts.map(({ number }) => number);
      unread.keepOnly(numbers);
      drafts.forget((place) => !numbers.includes(Number(place.split("/")[0])));
      const used = accounts.filter((account) => isOnline(account) || account.state === "logged_out");
      const unknown = await fewAtATime(used, countUnknown);
      const waiting = await fewAtATime(programs.filter(asksOwner), sendsThatWait);
      this.#counts = {
        accounts: used.filter((account) => account.state !== "online").length,
        outbox: unknown.reduce((sum, each) => sum + each, 0),
        programs: waiting.flat().length,
        webhooks: webhooks.filter((webhook) => webhook.state === "failing").length,
      };
      this.dispatchEvent(new Event("change"));
    } catch (error) {
      if (!(error instanceof Problem || error instanceof TypeError)) throw error;
    } // the screens report failures; the numbers stay as they were
    if (this.#end) this.#readAfter(AGAIN);
  }
}

export const attention = new Attention();

async function countUnknown({ number }) {
  const query = new URLSearchParams({ state: "unknown", limit: SENDS });
  return (await call("GET", `/accounts/${number}/sends?${query}`)).sends.length;
}
