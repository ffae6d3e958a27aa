// The logins of accounts: their steps, with the code to scan, as the gateway reports them.

import { t } from "./accounts-words.js";
import { call, follow, load } from "./api.js";
import { button, fill, h, keepFocus } from "./dom.js";
import { explainedText } from "./states.js";

/** States of a login that is in progress. */
const IN_PROGRESS = new Set(["waiting", "code", "pushed", "scanned", "expired"]);

/** Make the views of logins; `changed()` is called when one has begun or ended, and renders the accounts again. */
export function loginViews(frame, changed) {
  const logins = new Map();
  let isOpen = true;

  function loginOf({ number }) {
    if (!logins.has(number)) logins.set(number, { view: h("div", { class: "login" }), end: null });
    return logins.get(number);
  }

  function codeOf(account, path, step) {
    const code = h("img", { class: "code", alt: t("codeOf", { name: account.name }) });
    load(code, `${path}/qr`, { format: "svg", step });
    return code;
  }

  /** Begin a login. */
  async function begin(account) {
    await call("POST", `/accounts/${account.number}/login`, { method: "push" });
    show(account);
    await changed();
  }

  /** Show the logins that were begun before this page was loaded, or by another one. */
  function find(accounts) {
    for (const account of accounts) {
      if (account.state === "logging_in") frame.act(() => findOne(account), { isOfUser: false });
    }
  }

  async function findOne(account) {
    if (loginOf(account).end) return;
    const { state } = await call("GET", `/accounts/${account.number}/login`);
    if (!isOpen || loginOf(account).end || !IN_PROGRESS.has(state)) return;
    show(account);
    await changed();
  }

  function show(account) {
    const path = `/accounts/${account.number}/login`;
    const login = loginOf(account);
    const end = () => {
      login.end?.();
      login.end = null;
      fill(login.view);
    };
    const showStep = (step) => {
      const status = JSON.parse(step.data);
      const stop = button(t("stop"), () =>
        frame.act(async () => {
          await call("DELETE", path);
          end();
          await changed();
        }),
      );
      keepFocus(login.view, () =>
        fill(
          login.view,
          h("p", { role: "status" }, t(step.type)),
          status.has_code && codeOf(account, path, status.step),
          stop,
        ),
      );
    };
    const finish = (step) => {
      const status = JSON.parse(step.data);
      login.end?.();
      login.end = null;
      frame.act(async () => {
        await changed(); // what is next may take the focus before the view is empty
        const why = status.error && explainedText(status.error, status.error_code);
        fill(login.view, why && h("p", { class: "alert", role: "alert" }, why));
      });
    };
    login.end = follow(`${path}/events`, {
      waiting: showStep,
      code: showStep,
      pushed: showStep,
      scanned: showStep,
      expired: showStep,
      confirmed: finish,
      failed: finish,
      cancelled: finish,
    });
  }

  return {
    begin,
    find,
    viewOf: (account) => loginOf(account).view,
    isRunning: (account) => loginOf(account).end !== null,
    leave() {
      isOpen = false;
      for (const login of logins.values()) login.end?.();
    },
  };
}
