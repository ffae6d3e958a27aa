// The screen of the chats: the recent ones, a search, and one conversation.

import { accountField, isOnline, isWithoutAccount, listAccounts, pickAccount, showState } from "./account-list.js";
import { chatList } from "./chat-list.js";
import { t } from "./chats-words.js";
import { conversation } from "./conversation.js";
import { fill, h, soon } from "./dom.js";
import { live } from "./live.js";
import { Names } from "./names.js";
import { empty } from "./overlays.js";
import { pendingSends } from "./pending-sends.js";
import { go, note } from "./place.js";
import { load } from "./states.js";
import { unread } from "./unread.js";

export const chats = { name: "chats", picture: "chats", title: () => t("chats"), open };

const narrow = matchMedia("(max-width: 760px)");

function open(frame) {
  let view = null; // the list and the conversation of the chosen account
  let isOpen = true;

  const nothing = h("section", { class: "pane nothing" }, empty("chats", t("noChatOpen"), t("noChatOpenHint")));

  async function begin([wanted, chat]) {
    const accounts = await listAccounts();
    const account = pickAccount(accounts, wanted);
    if (!isOpen || isWithoutAccount(frame.body, account)) return;
    show(accounts, account);
    const reading = frame.act(view.list.refresh, { isOfUser: false });
    if (chat) await openChat(chat);
    await reading;
    view.talk.label();
  }

  function show(accounts, account) {
    view?.talk.leave();
    view?.names.leave();
    const { number } = account;
    const names = new Names(number);
    const opened = h("div", { class: "opened" }, nothing);
    const list = chatList({
      account: number,
      names,
      openChat: (id) => go("chats", number, id),
      openMessage: (id, time) => openChat(id, Math.ceil(time) + 1),
      act: frame.act,
      isWanted: () => isOpen && view?.number === number,
    });
    const talk = conversation({
      frame,
      account: number,
      names,
      back: () => go("chats", number),
      searchIn: (id) => {
        if (narrow.matches) close();
        list.searchIn(id);
      },
    });
    const field = accountField(accounts, account, (chosen) => go("chats", chosen));
    const state = h("p", { class: "state hint", role: "status" });
    showState(state, account);
    const which = h("div", { class: "which" }, field, state);
    const pane = h("section", { class: "list-pane", "aria-label": t("chats") }, which, list.element);
    const stage = h("div", { class: "chats" }, pane, opened);
    talk.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      if (narrow.matches) go("chats", number);
      else list.focus();
    });
    fill(frame.body, stage);
    view = { number, names, list, talk, opened, stage, state, chat: "" };
    note("chats", number);
  }

  async function openChat(chat, time = 0) {
    const { number, names, list, talk, opened, stage } = view;
    view.chat = chat;
    note("chats", number, chat);
    if (!names.isKnown(chat)) await names.find([chat]);
    if (view.chat !== chat || !isOpen) return;
    list.select(chat);
    stage.classList.add("is-in");
    if (opened.firstElementChild !== talk.element) fill(opened, talk.element);
    await talk.open(chat, time);
  }

  /** Close the conversation; a narrow window shows the list again. */
  function close() {
    const { list, opened, stage } = view;
    view.chat = "";
    list.select(null);
    stage.classList.remove("is-in");
    fill(opened, nothing);
    list.focus();
  }

  function move(parts) {
    const [number, chat = ""] = parts;
    if (!view || String(view.number) !== String(number ?? view.number)) start(parts);
    else if (chat && chat !== view.chat) frame.act(() => openChat(chat));
    else if (!chat) close();
  }

  function hear(event) {
    if (!view || event.account !== view.number) return;
    view.list.hear(event);
    if (view.chat) view.talk.hear(event);
  }

  function hearSend({ account, send }) {
    if (account !== view?.number) return;
    if (send.chat === view.chat) view.talk.refresh();
    if (send.state === "sent") view.list.hearSent(send.chat, send.text);
  }

  function hearState(account) {
    if (!view || account.number !== view.number) return;
    showState(view.state, account);
    if (isOnline(account)) frame.act(view.list.refresh); // this removes the sentence about the ended login
    if (view.chat) view.talk.refresh();
  }

  function readAgain() {
    if (!view) return;
    frame.act(view.list.refresh, { isOfUser: false });
    if (view.chat) view.talk.refresh();
  }

  function start(parts) {
    frame.act(() => load(frame, frame.body, () => begin(parts)), { isOfUser: false });
  }

  const ends = [
    live.on("event", hear),
    live.on("account.state", hearState),
    live.on("send.changed", hearSend),
    pendingSends.on(({ account, chat, text, isDone }) => isDone && account === view?.number && view.list.hearSent(chat, text)),
    live.on("open", readAgain),
    unread.on(soon(() => view?.list.draw())),
  ];
  start(frame.parts);
  return {
    move,
    leave() {
      isOpen = false;
      view?.talk.leave();
      view?.names.leave();
      for (const end of ends) end();
    },
  };
}
