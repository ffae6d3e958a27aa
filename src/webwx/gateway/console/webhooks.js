// The screen of the webhooks: the list, and for each webhook its deliveries and its dead letters.

import { call, Problem } from "./api.js";
import { confirm, deleteButton } from "./confirm.js";
import { copyable } from "./copyable.js";
import { deadLetters } from "./dead-letters.js";
import { deliveries } from "./deliveries.js";
import { button, fill, h, keepFocus } from "./dom.js";
import { typeWithName } from "./event-type-words.js";
import { resultPanel } from "./forms.js";
import { arrange } from "./keyed-list.js";
import { live } from "./live.js";
import { empty } from "./overlays.js";
import { addressOf, go } from "./place.js";
import { load, partsOfText } from "./states.js";
import { table } from "./table.js";
import { openWebhookForm } from "./webhook-form.js";
import { t } from "./webhooks-words.js";

export const webhooks = { name: "webhooks", picture: "hook", title: () => t("webhooks"), open };

/** Milliseconds after an event until its delivery is read. */
const DELIVERY = 1000;

function open(frame) {
  let view = null;

  function move([id]) {
    view?.leave?.();
    view = id ? oneWebhook(frame, id) : allWebhooks(frame);
  }

  move(frame.parts);
  return { move, leave: () => view.leave?.() };
}

function statePill(webhook) {
  const kind = { active: "is-good", failing: "is-bad" }[webhook.state] ?? "";
  return h("span", { class: `pill ${kind}` }, t(webhook.state));
}

function showSecret(webhook, secret) {
  resultPanel(t("secretTitle", { name: webhook.name }), t("secretHint"), copyable(t("secret"), secret));
}

function typesInWords({ types }) {
  return types.length ? types.map((type, at) => [at > 0 && ", ", typeWithName(type)]) : t("all");
}

// -- the list --------------------------------------------------------------------------------------------------------

function allWebhooks(frame) {
  const create = () =>
    frame.act(() =>
      openWebhookForm(frame, null, ({ webhook, secret }) => {
        frame.act(refresh);
        showSecret(webhook, secret);
      }),
    );
  const list = table({
    label: t("webhooks"),
    columns: [
      { title: t("name"), cell: (webhook) => h("a", { href: addressOf("webhooks", webhook.id) }, webhook.name) },
      { title: t("url"), cell: (webhook) => webhook.url },
      { title: t("types"), cell: ({ types }) => (types.length ? types.map((type) => h("div", {}, typeWithName(type))) : t("all")) },
      { title: t("state"), cell: statePill, kind: "is-narrow" },
    ],
    key: (webhook) => webhook.id,
    none: () => empty("hook", t("noWebhooks"), t("noWebhooksHint")),
  });
  const holder = h("div");
  fill(frame.body, h("div", {}, button(t("newWebhook"), create, { kind: "is-main", picture: "plus" })), holder);

  async function refresh() {
    const { webhooks: all } = await call("GET", "/webhooks");
    list.show(all);
    arrange(holder, [list.element]);
  }

  frame.act(() => load(frame, holder, refresh));
  return {};
}

// -- one webhook -----------------------------------------------------------------------------------------------------

function oneWebhook(frame, id) {
  const path = `/webhooks/${encodeURIComponent(id)}`;
  const card = h("section", { class: "card" });
  const holder = h("div", { class: "parts" });
  const sent = deliveries(frame, path);
  const given = deadLetters(frame);
  let timer = 0;

  fill(frame.body, h("a", { href: addressOf("webhooks") }, t("toList")), holder);

  function showCard(webhook) {
    const isOff = webhook.state === "disabled";
    const test = button(t("test"), () => frame.act(sendTest, { by: test }), { kind: "is-main" });
    const toggle = button(isOff ? t("enable") : t("disable"), () =>
      frame.act(async () => showCard(await call("PATCH", path, { enabled: isOff })), { by: toggle }),
    );
    keepFocus(card, () =>
      fill(
        card,
        h("div", { class: "line" }, h("h3", {}, webhook.name), statePill(webhook)),
        h("p", { class: "hint" }, webhook.url),
        webhook.disabled_reason && h("p", { class: "hint" }, t("serverGone")),
        h("p", { class: "hint" }, `${t("types")}${t("colon")}`, typesInWords(webhook)),
        webhook.chats.length > 0 && h("p", { class: "hint" }, `${t("chats")}${t("colon")}${webhook.chats.join(", ")}`),
        h(
          "div",
          { class: "buttons" },
          test,
          button(t("edit"), () => frame.act(() => openWebhookForm(frame, webhook, showCard))),
          button(t("rotate"), () =>
            confirm(
              frame,
              { title: t("rotateTitle", { name: webhook.name }), hint: t("rotateHint"), words: t("rotate") },
              async () => showSecret(webhook, (await call("POST", `${path}/rotate`)).secret),
            ),
          ),
          toggle,
          deleteButton(
            frame,
            { title: t("removeTitle", { name: webhook.name }), hint: t("removeHint"), words: t("remove") },
            path,
            () => go("webhooks"),
          ),
        ),
      ),
    );
  }

  async function sendTest() {
    const made = await call("POST", `${path}/test`);
    if (made.delivered) frame.notify(t("tested", { status: made.status, ms: made.milliseconds }));
    await refresh();
    if (!made.delivered) {
      const why = made.error ? partsOfText(made.error, made.error_code).words : t("answered", { status: made.status });
      throw new Problem(0, { detail: t("testFailed", { why }) });
    }
  }

  async function refresh() {
    const webhook = await call("GET", path);
    showCard(webhook);
    await sent.refresh();
    await given.show([webhook.consumer]);
    if (!card.isConnected) fill(holder, card, sent.element, given.element);
  }

  async function begin() {
    try {
      await refresh();
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) throw error;
      fill(holder, empty("hook", t("gone"), t("goneHint")));
    }
  }

  function refreshSoon() {
    clearTimeout(timer);
    timer = setTimeout(() => frame.act(begin, { isOfUser: false }), DELIVERY);
  }

  frame.act(() => load(frame, holder, begin));
  const ends = ["event", "open"].map((kind) => live.on(kind, refreshSoon));
  return {
    leave() {
      clearTimeout(timer);
      for (const end of ends) end();
    },
  };
}
