// The screen of the chats: history, a box to send, and recalls.

import { isOnline, listAccounts } from "./account-list.js";
import { call } from "./api.js";
import { t } from "./chats-words.js";
import { button, fill, h } from "./dom.js";
import { live } from "./live.js";

const HELPER = "filehelper";

export const chats = { name: "chats", picture: "chats", title: () => t("chats"), open };

function open({ body, act }) {
  const which = h("select", { id: "which-account" });
  const list = h("ul", { class: "list", "aria-label": t("chats") });
  const heading = h("h3", {}, t("chooseChat"));
  const log = h("div", { class: "log", role: "log", tabindex: "0" });
  const text = h("textarea", { class: "input", id: "text", rows: "2", required: true, disabled: true });
  const form = h(
    "form",
    { class: "line" },
    h("label", { for: "text", class: "hidden" }, t("message")),
    text,
    h("button", { class: "button" }, t("send")),
  );
  let chat = null;
  let isOpen = true;
  const endEvents = live.on("event", () => act(showHistory, { isOfUser: false }));
  const path = () => `/accounts/${which.value}`;

  which.addEventListener("change", () => act(openAccount));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(async () => {
      await call("POST", `${path()}/messages`, { to: chat.id, text: text.value });
      text.value = "";
      await showHistory();
    });
  });

  async function begin() {
    const ready = (await listAccounts()).filter(isOnline);
    if (!isOpen) return;
    if (ready.length === 0) {
      body.append(h("p", { class: "hint" }, t("noOnline")));
      return;
    }
    fill(
      which,
      ready.map((each) => h("option", { value: each.number }, each.nickname ?? each.name)),
    );
    body.append(
      h("p", { class: "line" }, h("label", { for: "which-account" }, t("account")), which),
      h("div", { class: "columns" }, list, h("section", {}, heading, log, form)),
    );
    await openAccount();
  }

  async function openAccount() {
    const { chats } = await call("GET", `${path()}/chats`);
    const all = [{ id: HELPER, name: t("filehelper") }, ...chats.filter((each) => each.id !== HELPER)];
    fill(
      list,
      all.map((each) => h("li", {}, button(each.name, () => act(() => openChat(each))))),
    );
    await openChat(all[0]);
  }

  async function openChat(next) {
    chat = next;
    heading.textContent = next.name;
    log.setAttribute("aria-label", t("messages", { name: next.name }));
    text.disabled = false;
    await showHistory();
  }

  async function showHistory() {
    if (!chat || !isOpen) return;
    const shown = chat;
    const { entries } = await call("GET", `${path()}/messages?chat=${encodeURIComponent(chat.id)}&limit=50`);
    if (shown !== chat || !isOpen) return;
    if (entries.length === 0) fill(log, h("p", { class: "hint" }, t("noMessages")));
    else fill(log, entries.reverse().map(entry));
    log.scrollTop = log.scrollHeight;
  }

  function entry({ event, send, text: sent }) {
    if (send) return bubble(true, sent, send.state === "sent" ? null : t(`state_${send.state}`), recallOf(send));
    if (event.type.endsWith("message_recalled") || event.type.endsWith("recalled")) {
      return h("p", { class: "notice" }, `${event.sender_name} ${t("wasRecalled")}`);
    }
    return bubble(event.is_self, event.data.text ?? event.data.file_name ?? `[${event.type}]`, event.sender_name, null);
  }

  function bubble(isMine, words, note, action) {
    return h(
      "article",
      { class: isMine ? "bubble is-mine" : "bubble" },
      h("p", { class: "words" }, words),
      note && h("p", { class: "hint" }, note),
      action,
    );
  }

  function recallOf(send) {
    if (send.state !== "sent") return null;
    return button(
      t("recall"),
      () =>
        act(async () => {
          await call("POST", `${path()}/sends/${encodeURIComponent(send.id)}/recall`);
          await showHistory();
        }),
      { kind: "small" },
    );
  }

  act(begin);
  return {
    leave() {
      isOpen = false;
      endEvents();
    },
  };
}
