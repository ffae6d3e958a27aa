// The fallback, which reports the end of a login: its channels, and a test of them.

import { call } from "./api.js";
import { copyable } from "./copyable.js";
import { button, fill, h } from "./dom.js";
import { partsOfText } from "./states.js";
import { t } from "./receivers-words.js";

const EXAMPLE = `[fallback]
command = ["mail", "-s", "webwx", "me@example.com"]  # gets the text on stdin
# or
webhook = "https://example.com/hook"  # gets a JSON object with title and text
# or
smtp_host = "mail.example.com"
mail_to = "me@example.com"`;

const WAYS = { command: "fallbackCommand", webhook: "fallbackWebhook", mail: "fallbackMail" };

/** Return the part of the screen about the fallback. */
export async function fallback(frame) {
  const { channels } = await call("GET", "/fallback");
  const results = h("div", { role: "status" });
  const test = button(t("fallbackTest"), () => frame.act(tryAll, { by: test }));

  async function tryAll() {
    const { results: all } = await call("POST", "/fallback/test");
    const lines = all.map(({ channel, error, error_code: code }) => {
      const way = t(WAYS[channel]);
      const { words, detail } = partsOfText(error, code);
      return h("li", {}, error ? [t("fallbackFailed", { way, why: words }), detail] : t("fallbackTested", { way }));
    });
    fill(results, h("ul", {}, lines));
  }

  return h(
    "section",
    { class: "card" },
    h("h3", {}, t("fallback")),
    h("p", { class: "hint" }, t("fallbackHint")),
    channels.length > 0
      ? [h("p", {}, t("fallbackSet", { ways: channels.map((each) => t(WAYS[each])).join(", ") })), test, results]
      : [h("p", {}, t("fallbackNone")), copyable("gateway.toml", EXAMPLE)],
  );
}
