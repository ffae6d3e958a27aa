// The screen of the keys: create one for a program, and delete it.

import { accountName, listAccounts } from "./account-list.js";
import { call, GATEWAY } from "./api.js";
import { deleteButton } from "./confirm.js";
import { copyable } from "./copyable.js";
import { button, fill, h } from "./dom.js";
import { field, formPanel, group, resultPanel, textInput, ticks } from "./forms.js";
import { t } from "./keys-words.js";
import { empty } from "./overlays.js";
import { load } from "./states.js";
import { table } from "./table.js";
import { ago } from "./times.js";

/** The scopes of the API, each with the key of its words. */
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
  ["adapters", "connectsPrograms"],
  ["admin", "everything"],
];

/** Number of scopes that a form shows at once; the others are among its further options. */
const USUAL = 3;

/** Return what a scope allows in words; the name of the scope if it has none. */
function wordsOf(scope) {
  const found = SCOPES.find(([name]) => name === scope);
  return found ? t(found[1]) : scope;
}

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

function open(frame) {
  const list = table({
    label: t("keys"),
    columns: [
      { title: t("keyName"), cell: (key) => key.name },
      { title: t("scopes"), cell: (key) => key.scopes.map(scopeLine), kind: "is-wide" },
      { title: t("accounts"), cell: (key) => (key.accounts ? key.accounts.map(nameOf).join(", ") : t("allAccounts")), kind: "is-name" },
      { title: t("created"), cell: (key) => ago(key.created_at), kind: "is-narrow" },
      { title: t("expires"), cell: (key) => (key.expires_at ? dateOf(key.expires_at) : t("never")), kind: "is-narrow" },
      { title: t("actions"), cell: deletion, kind: "is-narrow" },
    ],
    key: (key) => key.id,
    none: () => empty("key", t("noKeys"), t("noKeysHint")),
  });
  let accounts = [];
  fill(
    frame.body,
    h("div", {}, button(t("newKey"), () => openKeyForm(frame, accounts, showKey), { kind: "is-main", picture: "plus" })),
    list.element,
  );

  async function refresh() {
    accounts = await listAccounts();
    list.show((await call("GET", "/keys")).keys);
  }

  function showKey({ key, about }) {
    frame.act(refresh);
    const recipe = recipeFor(key, about.scopes);
    resultPanel(t("createdTitle", { name: about.name }), t("shownOnce"), [
      copyable(t("key"), key),
      recipe && copyable(t("recipe"), recipe),
    ]);
  }

  function scopeLine(scope) {
    return h("div", {}, wordsOf(scope), " ", h("code", { class: "faint" }, scope));
  }

  function deletion(key) {
    const question = { title: t("removeTitle", { name: key.name }), hint: t("removeHint"), words: t("remove") };
    return deleteButton(frame, question, `/keys/${encodeURIComponent(key.id)}`, refresh);
  }

  /** Return the name of an account; its number if it was removed. */
  function nameOf(number) {
    const found = accounts.find((each) => each.number === number);
    return found ? accountName(found) : String(number);
  }

  frame.act(() => load(frame, list.element, refresh));
}

function scopeGroup(legend, scopes) {
  const [elements, boxes] = [scopes.map(({ element }) => element), scopes.map(({ box }) => box)];
  return group(legend, elements, boxes, "scopes");
}

/** Open the form of a new key; `done(answer)` gets the API's answer. With one account there is no account to choose. */
function openKeyForm(frame, accounts, done) {
  const name = textInput("", { required: true, maxlength: "100", autofocus: true });
  const scopes = SCOPES.map(([scope], number) => {
    const box = h("input", {
      type: "checkbox",
      value: scope,
      checked: number === 0,
      "aria-describedby": `scope-${scope}`,
    });
    const element = h(
      "div",
      { class: "key-scope" },
      h("label", { class: "tick" }, box, wordsOf(scope)),
      h("code", { class: "faint", id: `scope-${scope}` }, scope),
    );
    return { scope, box, element };
  });
  const reached = ticks(
    t("onlyAccounts"),
    accounts.map((account) => [account.number, accountName(account)]),
    [],
    "accounts",
  );
  const expiry = textInput("", { type: "date", min: dayOf(new Date()) });
  const fields = [
    field(t("keyName"), name, null, "name"),
    scopeGroup(t("scopes"), scopes.slice(0, USUAL)),
  ];
  const more = [
    scopeGroup(t("moreScopes"), scopes.slice(USUAL)),
    accounts.length > 1 && [reached.element, h("p", { class: "hint" }, t("onlyAccountsHint"))],
    field(t("expiry"), expiry, t("expiryHint"), "expires_at"),
  ];
  const submit = () => {
    const numbers = reached.values();
    return call("POST", "/keys", {
      name: name.value.trim(),
      scopes: scopes.filter(({ box }) => box.checked).map(({ scope }) => scope),
      accounts: numbers.length ? numbers : null,
      expires_at: endOf(expiry.value),
    });
  };
  formPanel(frame, t("newKey"), t("create"), { fields, more }, submit, done);
}
