// The screen of the keys: create one for a program, and delete it.

import { accountName, listAccounts } from "./account-list.js";
import { call, GATEWAY } from "./api.js";
import { button, fill, h } from "./dom.js";
import { field, textInput } from "./forms.js";
import { t } from "./keys-words.js";
import { empty } from "./overlays.js";

const SCOPES = [
  ["send:filehelper", "toFilehelper"],
  ["send", "toAnyone"],
  ["read", "reads"],
  ["read:media", "readsMedia"],
  ["events", "readsEvents"],
  ["manage", "manages"],
  ["login", "logsIn"],
  ["bots", "callsBots"],
  ["receivers", "setsReceivers"],
  ["webhooks", "setsWebhooks"],
  ["admin", "everything"],
];

/** Return a command that the scopes of a key allow; null if there is no short one. */
function recipeFor(key, scopes) {
  const command = `curl -H 'Authorization: Bearer ${key}'`;
  const allows = (...wanted) => wanted.some((scope) => scopes.includes(scope));
  if (allows("send:filehelper", "send", "admin")) return `${command} -d 'hello' ${GATEWAY}/api/v1/notify`;
  if (allows("read")) return `${command} ${GATEWAY}/api/v1/accounts`;
  if (allows("events")) return `${command} --no-buffer ${GATEWAY}/api/v1/events/stream`;
  return null;
}

/** Return the end of a day, as the local time of the browser has it; null for no day. */
function endOf(day) {
  return day ? new Date(`${day}T23:59:59`).toISOString() : null;
}

/** Return the local day of a time as a field for dates has it. */
function dayOf(time) {
  return [time.getFullYear(), time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

function dateOf(moment) {
  return new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium" }).format(new Date(moment));
}

export const keys = { name: "keys", picture: "key", title: () => t("keys"), open };

function open({ body, act }) {
  const list = h("ul", { class: "cards" });
  const created = h("div", { role: "status" });
  const name = h("input", { id: "key-name", class: "input", required: true, maxlength: "100", autocomplete: "off" });
  const boxes = SCOPES.map(([scope]) =>
    h("input", {
      type: "checkbox",
      value: scope,
      checked: scope === SCOPES[0][0],
      "aria-describedby": `scope-${scope}`,
    }),
  );
  const reached = h("fieldset", { hidden: true, "aria-describedby": "key-accounts" });
  const expiry = textInput("", { type: "date", min: dayOf(new Date()) });
  let reachable = [];
  const form = h(
    "form",
    { class: "card" },
    h("label", { for: "key-name" }, t("keyName")),
    name,
    h(
      "fieldset",
      {},
      h("legend", {}, t("scopes")),
      SCOPES.map(([scope, words], number) =>
        h(
          "div",
          { class: "key-scope" },
          h("label", { class: "tick" }, boxes[number], scope),
          h("span", { class: "hint", id: `scope-${scope}` }, t(words)),
        ),
      ),
    ),
    reached,
    field(t("expiry"), expiry, t("expiryHint")),
    h("button", { class: "button is-main" }, t("create")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(async () => {
      const scopes = boxes.filter((box) => box.checked).map((box) => box.value);
      const numbers = reachable.filter(({ box }) => box.checked).map(({ number }) => number);
      const { key } = await call("POST", "/keys", {
        name: name.value.trim(),
        scopes,
        accounts: numbers.length ? numbers : null,
        expires_at: endOf(expiry.value),
      });
      const recipe = recipeFor(key, scopes);
      fill(
        created,
        h("p", {}, t("shownOnce")),
        h("pre", { class: "secret" }, key),
        recipe && [h("p", {}, t("recipe")), h("pre", {}, recipe)],
      );
      name.value = "";
      expiry.value = "";
      for (const { box } of reachable) box.checked = false;
      await refresh();
      created.scrollIntoView({ block: "center" });
    });
  });
  fill(body, list, created, form);

  /** Offer the accounts to which a key can be bound; with one account there is nothing to choose. */
  async function offerAccounts() {
    reachable = (await listAccounts()).map((account) => ({
      number: account.number,
      words: accountName(account),
      box: h("input", { type: "checkbox", value: account.number }),
    }));
    fill(
      reached,
      h("legend", {}, t("onlyAccounts")),
      reachable.map(({ words, box }) => h("label", { class: "tick" }, box, words)),
      h("p", { class: "hint", id: "key-accounts" }, t("onlyAccountsHint")),
    );
    reached.hidden = reachable.length < 2;
  }

  async function refresh() {
    const all = (await call("GET", "/keys")).keys;
    if (all.length === 0) fill(list, h("li", {}, empty("key", t("noKeys"), t("noKeysHint"))));
    else fill(list, all.map(card));
  }

  function card(key) {
    const remove = button(t("remove"), () => {
      remove.replaceWith(
        button(t("sureRemove", { name: key.name }), () =>
          act(async () => {
            await call("DELETE", `/keys/${encodeURIComponent(key.id)}`);
            await refresh();
          }),
        ),
      );
    });
    return h(
      "li",
      { class: "card" },
      h("h3", {}, key.name),
      h("p", { class: "hint" }, key.scopes.join(", ")),
      key.accounts && h("p", { class: "hint" }, t("reaches", { names: key.accounts.map(nameOf).join(", ") })),
      key.expires_at && h("p", { class: "hint" }, t("expires", { date: dateOf(key.expires_at) })),
      remove,
    );
  }

  /** Return the name of an account; its number if it was removed. */
  function nameOf(number) {
    return reachable.find((each) => each.number === number)?.words ?? String(number);
  }

  act(async () => {
    await offerAccounts();
    await refresh();
  });
}
