// The screen of the outbox: each send with its state, the reason for the state, and the actions on it.

import { shownAccount } from "./account-list.js";
import { call, Problem } from "./api.js";
import { confirm } from "./confirm.js";
import { button, fill, h, icon } from "./dom.js";
import { live } from "./live.js";
import { kindWords, stateReason, t as said } from "./message-words.js";
import { Names } from "./names.js";
import { t } from "./outbox-words.js";
import { empty } from "./overlays.js";
import { pendingSends } from "./pending-sends.js";
import { addressOf } from "./place.js";
import { answersInOrder, load } from "./states.js";
import { table } from "./table.js";
import { ago } from "./times.js";

export const outbox = { name: "outbox", picture: "outbox", title: () => t("outbox"), open };

const STATES = ["queued", "sending", "sent", "failed", "unknown", "recalled"];
const PAGE = 100;

/** Maximum number of sends that the gateway lists. */
const MOST = 1000;

/** Milliseconds after which sends in progress are read again, in case the report of their change was lost. */
const LOOK_AGAIN = 5000;

/** Milliseconds during which changes are collected before the sends are read again. */
const AT_ONCE = 100;

function open(frame) {
  const reading = answersInOrder();
  let number = 0;
  let names = null;
  let limit = PAGE;
  let isOpen = true;
  let timer = 0;

  const state = h(
    "select",
    { class: "input", "aria-label": t("state"), on: { change: () => frame.act(refresh) } },
    h("option", { value: "" }, t("allStates")),
    STATES.map((each) => h("option", { value: each }, said(each))),
  );
  const again = button(t("refresh"), () => frame.act(refresh, { by: again }), { picture: "retry" });
  const unknown = h("div", { class: "notice", role: "status", hidden: true });
  const more = button(
    t("more"),
    () => {
      limit = Math.min(MOST, limit + PAGE);
      frame.act(refresh, { by: more });
    },
    { hidden: true },
  );
  const sends = table({
    label: t("outbox"),
    key: (send) => send.id,
    none: () => (state.value ? empty("outbox", t("noneFits"), "") : empty("outbox", t("none"), t("noneHint"))),
    columns: [
      { title: t("when"), kind: "is-narrow", cell: (send) => ago(send.created_at) },
      { title: t("to"), cell: receiver, kind: "is-name" },
      { title: t("what"), kind: "is-wide", cell: message },
      { title: t("state"), cell: explained },
      { title: t("actions"), cell: actions, kind: "is-actions" },
    ],
  });

  async function begin() {
    const account = await shownAccount(frame, "outbox", () => isOpen);
    if (account === null) return;
    number = account.number;
    names = new Names(number);
    fill(
      frame.body,
      h("p", { class: "hint" }, t("hint")),
      h("div", { class: "line" }, account.field, state, again),
      unknown,
      sends.element,
      more,
    );
    await load(frame, sends.element, refresh);
  }

  async function refresh() {
    const isNews = reading();
    const query = new URLSearchParams({ limit, ...(state.value ? { state: state.value } : {}) });
    const found = (await call("GET", `/accounts/${number}/sends?${query}`)).sends;
    await names.find([...new Set(found.map(({ chat }) => chat))]);
    if (!isOpen || !isNews()) return;
    sends.show(found);
    more.hidden = found.length < limit || limit === MOST;
    const count = found.filter((send) => send.state === "unknown").length;
    unknown.hidden = count === 0;
    fill(unknown, h("strong", {}, t("unknownCount", { n: count })), h("p", {}, t("unknownHint")));
    lookAgain(found);
  }

  /** Read again because a send has changed; the changes of a moment are read together. */
  function refreshSoon() {
    clearTimeout(timer);
    timer = setTimeout(() => isOpen && frame.act(refresh, { isOfUser: false }), AT_ONCE);
  }

  function lookAgain(found) {
    clearTimeout(timer);
    const isOnWay = found.some((send) => send.state === "queued" || send.state === "sending");
    if (isOnWay) timer = setTimeout(() => isOpen && frame.act(refresh, { isOfUser: false }), LOOK_AGAIN);
  }

  // -- cells ---------------------------------------------------------------------------------------------------------

  function receiver({ chat }) {
    const name = names.of(chat);
    return h("a", { href: addressOf("chats", number, chat), "aria-label": t("openChat", { name }), dir: "auto" }, name);
  }

  function message({ kind, text }) {
    return [
      kind !== "text" && h("p", { class: "faint" }, kindWords(kind)),
      h("p", { class: "clamped", dir: "auto" }, text || kindWords(kind)),
    ];
  }

  function explained(send) {
    const look = { sent: "is-good", failed: "is-bad", unknown: "is-bad" }[send.state] ?? "";
    const reason = stateReason(send, pendingSends.reasons.get(send.id));
    return [
      h("span", { class: `pill ${look}` }, send.state === "sent" && icon("check"), said(send.state)),
      reason && h("p", { class: "hint" }, reason),
    ];
  }

  function actions(send) {
    const canRetry = send.kind === "text" && ["queued", "failed", "unknown"].includes(send.state);
    return h(
      "div",
      { class: "buttons" },
      canRetry && button(t("retry"), () => askRetry(send), { kind: "is-small", picture: "retry" }),
      send.state !== "sending" && button(t("forget"), () => askForget(send), { kind: "is-small", picture: "trash" }),
    );
  }

  // -- actions -------------------------------------------------------------------------------------------------------

  function askRetry(send) {
    const hint = t({ queued: "retryQueued", failed: "retryFailed", unknown: "retryUnknown" }[send.state]);
    confirm(frame, { title: t("retryTitle"), hint, words: t("retry") }, () => retry(send));
  }

  /**
   * Send again. One with an unknown outcome becomes a new send: the gateway never repeats it under its id. The key is made
   * of the id, so that a second click, another tab and a repetition after a lost answer do not send it once more.
   */
  async function retry(send) {
    try {
      if (send.state === "unknown") {
        const body = { to: send.chat, text: send.text };
        await call("POST", `/accounts/${number}/messages`, body, { "Idempotency-Key": `again-${send.id}` });
        await forget(send);
      } else {
        await call("POST", `${pathOf(send)}/retry`);
      }
      frame.notify(t("retried"));
    } finally {
      await refresh();
    }
  }

  function askForget(send) {
    confirm(frame, { title: t("forgetTitle"), hint: t("forgetHint"), words: t("forget") }, async () => {
      await forget(send);
      frame.notify(t("forgotten"));
      await refresh();
    });
  }

  /** Delete a send; another tab may have done so before. */
  async function forget(send) {
    try {
      await call("DELETE", pathOf(send));
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) throw error;
    }
  }

  function pathOf(send) {
    return `/accounts/${number}/sends/${encodeURIComponent(send.id)}`;
  }

  const ends = [
    live.on("open", () => number && refreshSoon()),
    live.on("send.changed", ({ account }) => account === number && refreshSoon()),
    live.on("account.state", (account) => account.number === number && frame.act(refresh, { isOfUser: false })),
    pendingSends.on(({ account, isDone }) => isDone && account === number && frame.act(refresh, { isOfUser: false })),
  ];
  frame.act(() => load(frame, frame.body, begin), { isOfUser: false });
  return {
    leave() {
      isOpen = false;
      names?.leave();
      clearTimeout(timer);
      for (const end of ends) end();
    },
  };
}
