// The screen of the keys: create one for a program, and delete it.

import { call } from "./api.js";
import { button, fill, h } from "./dom.js";
import { say } from "./words.js";

const SCOPES = ["send:filehelper", "send", "read", "events", "manage", "login", "receivers", "webhooks", "admin"];

export function keysScreen(main, act) {
  const list = h("ul", { class: "cards" });
  const created = h("div", { role: "status" });
  const name = h("input", { id: "key-name", required: true, maxlength: "100", autocomplete: "off" });
  const boxes = SCOPES.map((scope) => h("input", { type: "checkbox", value: scope, checked: scope === SCOPES[0] }));
  const form = h(
    "form",
    { class: "card" },
    h("label", { for: "key-name" }, say("keyName")),
    name,
    h(
      "fieldset",
      {},
      h("legend", {}, say("scopes")),
      boxes.map((box) => h("label", {}, box, ` ${box.value}`)),
    ),
    h("button", { class: "button" }, say("create")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(async () => {
      const scopes = boxes.filter((box) => box.checked).map((box) => box.value);
      const { key } = await call("POST", "/keys", { name: name.value.trim(), scopes });
      const recipe = `curl -H 'Authorization: Bearer ${key}' -d 'hello' ${location.origin}/api/v1/notify`;
      fill(
        created,
        h("p", {}, say("shownOnce")),
        h("pre", { class: "secret" }, key),
        h("p", {}, say("recipe")),
        h("pre", {}, recipe),
      );
      name.value = "";
      await refresh();
    });
  });
  fill(main, h("h2", {}, say("keys")), list, created, form);

  async function refresh() {
    const { keys } = await call("GET", "/keys");
    if (keys.length === 0) fill(list, h("li", { class: "hint" }, say("noKeys")));
    else fill(list, keys.map(card));
  }

  function card(key) {
    const remove = button(say("remove"), () => {
      remove.replaceWith(
        button(say("sureRemove", { name: key.name }), () =>
          act(async () => {
            await call("DELETE", `/keys/${encodeURIComponent(key.id)}`);
            await refresh();
          }),
        ),
      );
    });
    return h("li", { class: "card" }, h("h3", {}, key.name), h("p", { class: "hint" }, key.scopes.join(", ")), remove);
  }

  act(refresh);
  return () => {};
}
