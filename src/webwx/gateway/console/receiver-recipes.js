// How to configure each kind of client for a receiver: the address, a command to try it, and what to enter in the
// tools.

import { GATEWAY, ROOT } from "./api.js";
import { copyable } from "./copyable.js";
import { h } from "./dom.js";
import { t } from "./receivers-words.js";

const lines = (...all) => all.join("\n");

/** A command that posts JSON. */
function post(url, body, header = "Content-Type: application/json") {
  return `curl -H '${header}' -d '${JSON.stringify(body)}' '${url}'`;
}

/** A program that posts JSON. */
function python(url, body) {
  return lines("import requests", "", `requests.post("${url}", json=${JSON.stringify(body)})`);
}

/**
 * Recipes of a kind as [tool, text], from {base, host, token, url, hook}: `base` is the address of the gateway, `host` the
 * same without its scheme, `url` the address for the clients of the vendor, and `hook` the address of the form that every kind has.
 */
const RECIPES = {
  wecom: ({ url }) => [
    ["curl", post(url, { msgtype: "text", text: { content: "hello" } })],
    ["Grafana, contact point WeCom: URL", url],
    ["Python", python(url, { msgtype: "markdown", markdown: { content: "**hello**" } })],
  ],

  bark: ({ base, url, token }) => [
    ["curl", post(url, { device_key: token, title: "Backup", body: "finished" })],
    ["curl, GET", `curl '${base}/${token}/Backup/finished'`],
    ["Bark: server, device key", lines(base, token)],
  ],

  serverchan: ({ url }) => [
    ["curl", `curl --data-urlencode 'title=Backup' --data-urlencode 'desp=**finished**' '${url}'`],
    ["Python", python(url, { title: "Backup", desp: "finished" })],
  ],

  pushplus: ({ base, token }) => [
    ["curl", post(`${base}/send`, { token, title: "Backup", content: "finished", template: "txt" })],
    ["Python", python(`${base}/send`, { token, title: "Backup", content: "finished" })],
  ],

  ntfy: ({ base, url, token }) => [
    ["curl", `curl -H 'Title: Backup' -d 'finished' '${url}'`],
    ["ntfy publish", `ntfy publish --title Backup '${url}' finished`],
    ["ntfy publish, any topic", `ntfy publish --token '${token}' '${base}/backups' finished`],
  ],

  gotify: ({ base, url, token }) => [
    ["curl", `curl --data-urlencode 'title=Backup' --data-urlencode 'message=finished' '${url}'`],
    ["gotify push", `gotify push --url '${base}' --token '${token}' --title Backup finished`],
    ["Gotify: server, token", lines(base, token)],
  ],

  slack: ({ url }) => [
    ["curl", post(url, { text: "hello *phone*" })],
    [
      "Alertmanager, alertmanager.yml",
      lines("receivers:", "  - name: phone", "    slack_configs:", `      - api_url: ${url}`, '        channel: "#alerts"'),
    ],
    [
      "Python, slack_sdk",
      lines("from slack_sdk.webhook import WebhookClient", "", `WebhookClient("${url}").send(text="hello")`),
    ],
  ],

  apprise: ({ base, host, hook, url, token }) => {
    const end = base.startsWith("https") ? "s" : "";
    return [
      ["curl", post(url, { title: "Backup", body: "finished", type: "success" })],
      ["apprise", `apprise -t Backup -b finished 'apprise${end}://${host}/${token}'`],
      ["apprise, json://", `apprise -t Backup -b finished 'json${end}://${host}${hook}'`],
    ];
  },

  alertmanager: ({ url }) => [
    [
      "Alertmanager, alertmanager.yml",
      lines(
        "route:",
        "  receiver: phone",
        "receivers:",
        "  - name: phone",
        "    webhook_configs:",
        `      - url: ${url}`,
      ),
    ],
    ["curl", post(url, { version: "4", status: "firing", alerts: [ALERT] })],
  ],

  grafana: ({ url }) => [
    ["Grafana, contact point Webhook: URL", url],
    [
      "Grafana, provisioning/alerting/phone.yaml",
      lines(
        "apiVersion: 1",
        "contactPoints:",
        "  - name: phone",
        "    receivers:",
        "      - uid: phone",
        "        type: webhook",
        "        settings:",
        `          url: ${url}`,
      ),
    ],
    ["curl", post(url, { orgId: 1, status: "firing", title: "DiskFull", message: "95 %", alerts: [ALERT] })],
  ],

  github: ({ url }) => [
    ["Payload URL", url],
    ["Content type", "application/json"],
    [
      "gh",
      lines(
        "gh api repos/OWNER/REPO/hooks -f name=web -F active=true -f 'events[]=push' \\",
        `  -f 'config[url]=${url}' -f 'config[content_type]=json' -f 'config[secret]=SECRET'`,
      ),
    ],
  ],

  dingtalk: ({ url }) => [
    ["curl", post(url, { msgtype: "text", text: { content: "hello" } })],
    ["Python", python(url, { msgtype: "markdown", markdown: { title: "hello", text: "**hello**" } })],
  ],

  feishu: ({ url }) => [
    ["curl", post(url, { msg_type: "text", content: { text: "hello" } })],
    ["Python", python(url, { msg_type: "text", content: { text: "hello" } })],
  ],

  discord: ({ url }) => [
    ["curl", post(url, { content: "**hello**" })],
    ["Python", python(url, { embeds: [{ title: "Backup", description: "finished", color: 5763719 }] })],
    ["Slack, GitHub", lines(`${url}/slack`, `${url}/github`)],
  ],

  json: ({ url }) => [
    ["curl", post(url, { title: "Backup", text: "finished" })],
    ["curl, form", `curl --data-urlencode 'text=finished' '${url}'`],
    ["Python", python(url, { title: "Backup", text: "finished" })],
  ],

  cloudevents: ({ url }) => [
    ["curl", post(url, CLOUD_EVENT, "Content-Type: application/cloudevents+json")],
    ["Knative, Trigger", lines("spec:", "  subscriber:", `    uri: ${url}`)],
  ],
};

/** Names of the words that explain the recipes of a kind. */
const HINTS = { github: "githubHint" };

const ALERT = {
  status: "firing",
  labels: { alertname: "DiskFull", severity: "critical" },
  annotations: { summary: "95 %" },
};

const CLOUD_EVENT = {
  specversion: "1.0",
  id: "1",
  source: "/backup",
  type: "backup.finished",
  data: { message: "finished" },
};

/** Show the address of a receiver and its recipes. `path` and `hook` are paths of this gateway that hold the token. */
export function recipes(kind, { token, path, hook }) {
  const at = { base: GATEWAY, host: location.host + ROOT, token, url: GATEWAY + path, hook };
  return h(
    "div",
    { class: "recipes" },
    copyable(t("address"), at.url),
    HINTS[kind] && h("p", { class: "hint" }, t(HINTS[kind])),
    (RECIPES[kind]?.(at) ?? []).map(([tool, text]) => copyable(tool, text)),
    hook !== path && copyable(t("otherAddress"), GATEWAY + hook),
  );
}
