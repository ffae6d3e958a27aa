// The screen of recalled messages: their content, and a button that sends it to File Transfer Helper.

import { shownAccount } from "./account-list.js";
import { call, Problem } from "./api.js";
import { button, fill, h, keepFocus } from "./dom.js";
import { live } from "./live.js";
import { content } from "./message-content.js";
import { face, FILEHELPER, Names } from "./names.js";
import { empty } from "./overlays.js";
import { t } from "./recalled-words.js";
import { answersInOrder, load } from "./states.js";
import { ago } from "./times.js";
import { newKey } from "./transfer.js";

export const recalled = { name: "recalled", picture: "recall", title: () => t("recalledMessages"), open };

const PAGE = 50;

function open(frame) {
  const list = h("ul", { class: "cards" });
  const forwarded = new Set(); // numbers of the recalls that were forwarded from here
  const keys = new Map(); // by these numbers: a repetition without an answer is sent once
  const reading = answersInOrder();
  let number = 0;
  let names = null;
  let limit = PAGE;
  let isOpen = true;

  async function begin() {
    const account = await shownAccount(frame, "recalled", () => isOpen);
    if (account === null) return;
    number = account.number;
    names = new Names(number);
    fill(frame.body, h("div", { class: "line" }, account.field), list);
    await load(frame, list, refresh);
  }

  async function refresh() {
    const isNews = reading();
    const found = (await call("GET", `/accounts/${number}/recalled?limit=${limit}`)).recalled;
    for (const { event } of found) await names.findIn(event.chat, [event.data.original?.sender]);
    if (!isOpen || !isNews()) return;
    const more = button(t("more"), () => {
      limit += PAGE;
      frame.act(refresh, { by: more });
    });
    keepFocus(list, () =>
      fill(
        list,
        found.length === 0 && h("li", {}, empty("recall", t("none"), t("noneHint"))),
        found.map(card),
        found.length === limit && h("li", {}, more),
      ),
    );
  }

  function card({ event, way }) {
    const { original } = event.data;
    const author = original?.sender ?? event.chat;
    const name = names.of(author);
    const isForwarded = forwarded.has(event.number);
    const send = button(t("forward"), () => frame.act(() => forward(event), { by: send }), { picture: "forward" });
    return h(
      "li",
      { class: "card", "data-key": event.id },
      h(
        "div",
        { class: "card-body" },
        face(author, name, "is-small"),
        h(
          "div",
          { class: "card-text" },
          h("h3", {}, event.is_self ? t("youRecalled") : t("recalledBy", { name })),
          h(
            "p",
            { class: "hint" },
            author !== event.chat && `${t("inChat", { name: names.of(event.chat) })} · `,
            ago(event.time),
          ),
        ),
      ),
      original
        ? h("div", { class: "kept" }, content(originalOf(event), { name }))
        : h("p", { class: "hint" }, t("notStored")),
      original && way === "none" && h("p", { class: "hint" }, t("cannotForward")),
      way === "by_upload" && h("p", { class: "hint" }, t("by_upload")),
      isForwarded && h("p", { class: "state" }, h("span", { class: "pill is-good" }, t("forwarded"))),
      way !== "none" && !isForwarded && send,
    );
  }

  async function forward(event) {
    if (!keys.has(event.number)) keys.set(event.number, newKey());
    try {
      const key = { "Idempotency-Key": keys.get(event.number) };
      await call("POST", `/accounts/${number}/messages/${event.number}/forward`, { to: FILEHELPER }, key);
    } catch (error) {
      if (error instanceof Problem && error.status < 500) keys.delete(event.number);
      throw error;
    }
    forwarded.add(event.number);
    frame.notify(t("forwarded"));
    await refresh();
  }

  function hear(event) {
    if (event.account === number && event.type === "message.recalled") frame.act(refresh, { isOfUser: false });
  }

  const ends = [live.on("event", hear), live.on("open", () => number && frame.act(refresh, { isOfUser: false }))];
  frame.act(() => load(frame, frame.body, begin), { isOfUser: false });
  return {
    leave() {
      isOpen = false;
      names?.leave();
      for (const end of ends) end();
    },
  };
}

/** Return the recalled message as an event. */
function originalOf({ account, number, data }) {
  const { original } = data;
  return { account, number: original.number || number, type: original.type, data: original };
}
