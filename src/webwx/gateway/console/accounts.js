// The screen of the accounts: their states, and logins with a code.

import { accountName, isOnline, listAccounts, showState } from "./account-list.js";
import { openAccountSettings } from "./account-settings.js";
import { t } from "./accounts-words.js";
import { call, follow, load } from "./api.js";
import { button, fill, h, keepFocus } from "./dom.js";
import { live } from "./live.js";
import { empty } from "./overlays.js";
import { answersInOrder } from "./states.js";

export const accounts = { name: "accounts", picture: "device", title: () => t("accounts"), open };

/** States of a login that is in progress. */
const IN_PROGRESS = new Set(["waiting", "code", "pushed", "scanned", "expired"]);

function open(frame) {
  const { body, act } = frame;
  const list = h("ul", { class: "cards" });
  const name = h("input", { id: "new-account", class: "input", required: true, maxlength: "40", autocomplete: "off" });
  const form = h(
    "form",
    { class: "line" },
    h("label", { for: "new-account" }, t("accountName")),
    name,
    h("button", { class: "button is-main" }, t("add")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(async () => {
      await call("POST", "/accounts", { name: name.value.trim() });
      name.value = "";
      await refresh();
    });
  });
  fill(body, list, form);

  const logins = new Map();
  const reading = answersInOrder();
  let isOpen = true;

  async function refresh() {
    const isNews = reading();
    const all = await listAccounts();
    if (!isOpen || !isNews()) return;
    for (const account of all) if (account.state === "logging_in") act(() => findLogin(account), { isOfUser: false });
    if (all.length === 0) fill(list, h("li", {}, empty("device", t("noAccounts"), t("noAccountsHint"))));
    else keepFocus(list, () => fill(list, all.map(card)));
  }

  function card(account) {
    const isIn = isOnline(account);
    const path = `/accounts/${account.number}`;
    const login = loginOf(account);
    const out = button(t("logOut"), () => {
      out.replaceWith(
        button(t("sureLogOut"), () =>
          act(async () => {
            await call("POST", `${path}/logout`);
            await refresh();
          }),
        ),
      );
    });
    const begin = button(t("logIn"), () => act(() => logIn(account)), { kind: "is-main" });
    const settings = button(t("settings"), () => openAccountSettings(frame, account, () => act(refresh)));
    return h(
      "li",
      { class: "card", "data-key": account.number },
      h("h3", {}, accountName(account)),
      stateLine(account),
      account.error && h("p", { class: "hint" }, account.error),
      account.queued > 0 && h("p", { class: "hint" }, t("queued", { n: account.queued })),
      account.pending_settings && h("p", { class: "hint" }, t("pendingSettings")),
      login.view,
      h("div", { class: "buttons" }, isIn ? out : !login.end && begin, settings),
    );
  }

  function stateLine(account) {
    const line = h("p", { class: "state" });
    showState(line, account);
    return line;
  }

  function codeOf(account, path, step) {
    const code = h("img", { class: "code", alt: t("codeOf", { name: account.name }) });
    load(code, `${path}/qr`, { format: "svg", step });
    return code;
  }

  function loginOf({ number }) {
    if (!logins.has(number)) logins.set(number, { view: h("div", { class: "login" }), end: null });
    return logins.get(number);
  }

  async function logIn(account) {
    await call("POST", `/accounts/${account.number}/login`, { method: "push" });
    followLogin(account);
    await refresh();
  }

  /** Show a login that was begun before this page was loaded, or by another one. */
  async function findLogin(account) {
    if (loginOf(account).end) return;
    const { state } = await call("GET", `/accounts/${account.number}/login`);
    if (!isOpen || loginOf(account).end || !IN_PROGRESS.has(state)) return;
    followLogin(account);
    await refresh();
  }

  function followLogin(account) {
    const path = `/accounts/${account.number}/login`;
    const login = loginOf(account);
    const end = () => {
      login.end?.();
      login.end = null;
      fill(login.view);
    };
    const show = (step) => {
      const status = JSON.parse(step.data);
      fill(
        login.view,
        h("p", { role: "status" }, t(step.type)),
        status.has_code && codeOf(account, path, status.step),
        button(t("stop"), () =>
          act(async () => {
            await call("DELETE", path);
            end();
            await refresh();
          }),
        ),
      );
    };
    const finish = (step) => {
      const status = JSON.parse(step.data);
      end();
      act(async () => {
        await refresh();
        if (status.error) fill(login.view, h("p", { class: "alert", role: "alert" }, status.error));
      });
    };
    login.end = follow(`${path}/events`, {
      waiting: show,
      code: show,
      pushed: show,
      scanned: show,
      expired: show,
      confirmed: finish,
      failed: finish,
      cancelled: finish,
    });
  }

  const ends = ["account.state", "open"].map((kind) => live.on(kind, () => act(refresh, { isOfUser: false })));
  act(refresh);
  return {
    leave() {
      isOpen = false;
      for (const end of ends) end();
      for (const login of logins.values()) login.end?.();
    },
  };
}
