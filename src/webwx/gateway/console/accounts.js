// The screen of the accounts: their states, and logins with a code.

import { address, call, follow } from "./api.js";
import { button, fill, h } from "./dom.js";
import { say } from "./words.js";

export function accountsScreen(main, act) {
  const list = h("ul", { class: "cards" });
  const name = h("input", { id: "new-account", required: true, maxlength: "40", autocomplete: "off" });
  const form = h(
    "form",
    { class: "row" },
    h("label", { for: "new-account" }, say("accountName")),
    name,
    h("button", { class: "button" }, say("add")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(async () => {
      await call("POST", "/accounts", { name: name.value.trim() });
      name.value = "";
      await refresh();
    });
  });
  fill(main, h("h2", {}, say("accounts")), list, form);

  const logins = new Map();
  let isOpen = true;

  async function refresh() {
    const { accounts } = await call("GET", "/accounts");
    if (!isOpen) return;
    if (accounts.length === 0) fill(list, h("li", { class: "hint" }, say("noAccounts")));
    else fill(list, accounts.map(card));
  }

  function card(account) {
    const isIn = account.state === "online" || account.state === "degraded";
    const path = `/accounts/${account.number}`;
    if (!logins.has(account.number)) logins.set(account.number, { view: h("div", { class: "login" }), end: null });
    const login = logins.get(account.number);
    const out = button(say("logOut"), () => {
      out.replaceWith(
        button(say("sureLogOut"), () =>
          act(async () => {
            await call("POST", `${path}/logout`);
            await refresh();
          }),
        ),
      );
    });
    const begin = button(say("logIn"), () => act(() => logIn(account, login)));
    return h(
      "li",
      { class: "card" },
      h("h3", {}, account.nickname ? `${account.name} · ${account.nickname}` : account.name),
      h("p", { class: "state" }, h("span", { class: isIn ? "dot is-on" : "dot" }), say(account.state)),
      account.error && h("p", { class: "hint" }, account.error),
      account.queued > 0 && h("p", { class: "hint" }, say("queued", { n: account.queued })),
      login.view,
      isIn ? out : !login.end && begin,
    );
  }

  async function logIn(account, login) {
    const path = `/accounts/${account.number}/login`;
    await call("POST", path, { method: "push" });
    const end = () => {
      login.end?.();
      login.end = null;
      fill(login.view);
    };
    const show = (step) => {
      const status = JSON.parse(step.data);
      fill(
        login.view,
        h("p", { role: "status" }, say(step.type)),
        status.has_code &&
          h("img", {
            class: "code",
            src: address(`${path}/qr?format=svg&step=${status.step}`),
            alt: say("codeOf", { name: account.name }),
          }),
        button(say("stop"), () =>
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
    await refresh();
  }

  const endStates = follow("/events/stream", { "account.state": () => act(refresh, { isOfUser: false }) });
  act(refresh);
  return () => {
    isOpen = false;
    endStates();
    for (const login of logins.values()) login.end?.();
  };
}
