// The screen of the accounts: their states, and logins with a code.

import { accountName, isOnline, listAccounts, showState } from "./account-list.js";
import { openAccountSettings, openNewAccount } from "./account-settings.js";
import { t } from "./accounts-words.js";
import { call } from "./api.js";
import { confirm } from "./confirm.js";
import { button, fill, h, keepFocus } from "./dom.js";
import { live } from "./live.js";
import { loginViews } from "./login-view.js";
import { empty } from "./overlays.js";
import { answersInOrder, explainedText } from "./states.js";

export const accounts = { name: "accounts", picture: "device", title: () => t("accounts"), open };

function open(frame) {
  const { body, act } = frame;
  const list = h("ul", { class: "cards" });
  const add = button(t("add"), () => openNewAccount(frame, added), { kind: "is-main", picture: "plus" });
  fill(body, h("div", {}, add), list);

  const logins = loginViews(frame, refresh);
  const reading = answersInOrder();
  let isOpen = true;

  async function refresh() {
    const isNews = reading();
    const all = await listAccounts();
    if (!isOpen || !isNews()) return;
    logins.find(all);
    if (all.length === 0) fill(list, h("li", {}, empty("device", t("noAccounts"), t("noAccountsHint"))));
    else keepFocus(list, () => fill(list, all.map(card)));
  }

  /** Show a new account; the next step is its login. */
  async function added(account) {
    await act(refresh);
    list.querySelector(`[data-key="${account.number}"] .is-main`)?.focus();
  }

  function card(account) {
    const out = button(t("logOut"), () =>
      confirm(
        frame,
        { title: t("logOutTitle", { name: accountName(account) }), hint: t("logOutHint"), words: t("logOut") },
        async () => {
          await call("POST", `/accounts/${account.number}/logout`);
          await refresh();
        },
      ),
    );
    const begin = button(t("logIn"), () => act(() => logins.begin(account)), { kind: "is-main" });
    const settings = button(t("settings"), () => openAccountSettings(frame, account, () => act(refresh)));
    return h(
      "li",
      { class: "card", "data-key": account.number },
      h("h3", {}, accountName(account)),
      stateLine(account),
      account.error && h("p", { class: "hint" }, explainedText(account.error, account.error_code)),
      account.queued > 0 && h("p", { class: "hint" }, t("queued", { n: account.queued })),
      account.pending_settings && h("p", { class: "hint" }, t("pendingSettings")),
      logins.viewOf(account),
      h("div", { class: "buttons" }, isOnline(account) ? out : !logins.isRunning(account) && begin, settings),
    );
  }

  function stateLine(account) {
    const line = h("p", { class: "state" });
    showState(line, account);
    return line;
  }

  const ends = ["account.state", "open"].map((kind) => live.on(kind, () => act(refresh, { isOfUser: false })));
  act(refresh);
  return {
    leave() {
      isOpen = false;
      for (const end of ends) end();
      logins.leave();
    },
  };
}
