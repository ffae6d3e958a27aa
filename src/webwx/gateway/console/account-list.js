// The accounts, as every screen of one account needs them: the list, and a field to choose one.

import { call } from "./api.js";
import { storedInTab } from "./browser-storage.js";
import { button, fill, h } from "./dom.js";
import { live } from "./live.js";
import { empty } from "./overlays.js";
import { go, note } from "./place.js";
import { t } from "./words.js";

const KEY = "webwx.account";

/** Return all accounts, and follow their events from now on. */
export async function listAccounts() {
  const { accounts } = await call("GET", "/accounts");
  live.cover(accounts.map((account) => account.number));
  return accounts;
}

export function isOnline(account) {
  return account.state === "online" || account.state === "degraded";
}

/** Whether the account was ever logged in, so that it has a journal to read. */
export function hasJournal(account) {
  return account.state !== "new";
}

/** Return the name to show: the account's label, else its name, each with the nickname. */
export function accountName(account) {
  const name = account.label || account.name;
  return account.nickname && account.nickname !== name ? `${name} · ${account.nickname}` : name;
}

/** Return the account to show: the wanted number, else the last one that was shown, else the first that is online. */
export function pickAccount(accounts, wanted) {
  const numbered = (number) => accounts.find((account) => String(account.number) === String(number));
  return numbered(wanted) ?? numbered(storedInTab.get(KEY)) ?? accounts.find(isOnline) ?? accounts[0] ?? null;
}

/** Make a field to choose an account; `choose(number)` is called for a change. */
export function accountField(accounts, chosen, choose) {
  storedInTab.set(KEY, chosen.number);
  const select = h(
    "select",
    { class: "input", "aria-label": t("account"), on: { change: () => choose(Number(select.value)) } },
    accounts.map((account) =>
      h("option", { value: account.number, selected: account.number === chosen.number }, accountName(account)),
    ),
  );
  return select;
}

/** Show the state of an account in an element: a dot and words. */
export function showState(element, account) {
  fill(element, h("span", { class: isOnline(account) ? "dot is-on" : "dot" }), t(account.state));
}

/** Show why an account has no content, if it has none; return whether it has none. */
export function isWithoutAccount(holder, account) {
  if (account && hasJournal(account)) return false;
  const open = button(t("openAccounts"), () => go("accounts"), { picture: "device" });
  fill(
    holder,
    account
      ? empty("device", t("noLogin"), t("noLoginHint"), open)
      : empty("device", t("noAccounts"), t("noAccountsHint"), open),
  );
  return true;
}

/**
 * Return the account that a screen shows: its number, and a field that opens the screen for another account.
 * Return null if the screen was left meanwhile, or the account has no content; then the screen says why.
 */
export async function shownAccount(frame, screen, isOpen) {
  const accounts = await listAccounts();
  const account = pickAccount(accounts, frame.parts[0]);
  if (!isOpen() || isWithoutAccount(frame.body, account)) return null;
  note(screen, account.number);
  return { number: account.number, field: accountField(accounts, account, (chosen) => go(screen, chosen)) };
}
