// Which of the first steps are done. The gateway's own state says so: what exists there, and what its audit log has.

import { isOnline, listAccounts, pickAccount } from "./account-list.js";
import { call, Problem, ROOT } from "./api.js";
import { stored } from "./browser-storage.js";
import { fewAtATime } from "./few.js";
import { live } from "./live.js";

/** The steps, in their order. */
export const STEPS = ["account", "scan", "message", "curl", "connect"];

const HIDDEN = `webwx.first-steps${ROOT}`;

/** Milliseconds during which changes are collected before they are read. */
const AT_ONCE = 300;

/** Milliseconds for which the page waits for the first reading; an account of another gateway may not answer. */
const LONGEST = 3000;

/** Milliseconds after which the audit log is read again while a command is awaited: its entries are written a little later. */
const AWAITED = 1500;

/** Number of the newest entries of the audit log in which calls of keys are looked for. */
const ENTRIES = 200;

class FirstSteps extends EventTarget {
  /** The steps that are done; null until they were read. */
  done = null;
  /** The account that the steps are about; null if there is none. */
  account = null;
  /** Whether a command is awaited that was just shown. */
  isAwaited = false;
  #timer = 0;
  #ends = [];

  get isComplete() {
    return this.done !== null && this.done.size === STEPS.length;
  }

  /** Whether the user has hidden the steps in this browser. */
  get isHidden() {
    return stored.get(HIDDEN) !== null;
  }

  /** Whether the navigation has the steps. */
  get isShown() {
    return this.done !== null && !this.isHidden && !this.isComplete;
  }

  /** The first step that is not done. */
  get present() {
    return STEPS.find((step) => !this.done?.has(step)) ?? null;
  }

  hide() {
    stored.set(HIDDEN, "1");
    this.#changed();
  }

  /** Call `listener()` after each change. Returns a function that ends this. */
  on(listener) {
    this.addEventListener("change", listener);
    return () => this.removeEventListener("change", listener);
  }

  /** Read what is done, unless the steps are hidden, and follow the gateway until `leave()`. */
  async begin() {
    this.leave();
    const soon = () => this.readSoon();
    this.#ends = [live.on("account.state", soon), live.on("send.changed", soon), live.on("open", soon)];
    const limit = new Promise((resolve) => setTimeout(resolve, LONGEST));
    if (!this.isHidden) await Promise.race([this.#readQuietly(), limit]);
  }

  leave() {
    clearTimeout(this.#timer);
    for (const end of this.#ends) end();
    this.#ends = [];
  }

  /** Read soon, unless the navigation no longer has the steps. */
  readSoon(milliseconds = AT_ONCE) {
    if (this.done !== null && !this.isShown) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#readQuietly(), milliseconds);
  }

  /** Read what is done. */
  async read() {
    const accounts = await listAccounts();
    const used = accounts.filter((account) => isOnline(account) || account.state === "logged_out");
    const [isSent, isCalled, isConnected] = await Promise.all([hasSent(used), hasCalled(), hasProgram()]);
    const found = {
      account: accounts.length > 0,
      scan: used.length > 0,
      message: isSent || isCalled,
      curl: isCalled,
      connect: isConnected,
    };
    this.account = used.find(isOnline) ?? used[0] ?? pickAccount(accounts, null);
    this.done = new Set(STEPS.filter((step) => found[step]));
    if (isCalled) this.isAwaited = false;
    this.#changed();
  }

  async #readQuietly() {
    try {
      await this.read();
    } catch (error) {
      if (!(error instanceof Problem || error instanceof TypeError)) throw error;
    } // the screens report failures; the steps stay as they were
    if (this.isAwaited && this.#ends.length > 0) this.readSoon(AWAITED);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

export const firstSteps = new FirstSteps();

async function hasSent(accounts) {
  const query = new URLSearchParams({ state: "sent", limit: 1 });
  const found = await fewAtATime(accounts, ({ number }) => call("GET", `/accounts/${number}/sends?${query}`));
  return found.some(({ sends }) => sends.length > 0);
}

/** Whether a key has changed something, such as sent a message. */
async function hasCalled() {
  const [{ keys }, { entries }] = await Promise.all([call("GET", "/keys"), call("GET", `/audit?limit=${ENTRIES}`)]);
  const ids = new Set(keys.map(({ id }) => id));
  return entries.some(({ actor }) => ids.has(actor));
}

async function hasProgram() {
  const [{ receivers }, { webhooks }, { programs }, { bots }] = await Promise.all([
    call("GET", "/receivers"),
    call("GET", "/webhooks"),
    call("GET", "/programs"),
    call("GET", "/bots"),
  ]);
  return [receivers, webhooks, programs, bots].some((each) => each.length > 0);
}
