// The screen of the chats: history, a box to send, and recalls.

import { call, follow } from "./api.js";
import { button, fill, h } from "./dom.js";
import { say } from "./words.js";

const HELPER = "filehelper";

export function chatsScreen(main, act) {
  const which = h("select", { id: "which-account" });
  const list = h("ul", { class: "list", "aria-label": say("chats") });
  const heading = h("h3", {}, say("chooseChat"));
  const log = h("div", { class: "log", role: "log", tabindex: "0" });
  const text = h("textarea", { id: "text", rows: "2", required: true, disabled: true });
  const form = h(
    "form",
    { class: "row" },
    h("label", { for: "text", class: "hidden" }, say("message")),
    text,
    h("button", { class: "button" }, say("send")),
  );
  let chat = null;
  let isOpen = true;
  let endEvents = () => {};
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
  fill(main, h("h2", {}, say("chats")));

  async function begin() {
    const { accounts } = await call("GET", "/accounts");
    const ready = accounts.filter((each) => each.state === "online" || each.state === "degraded");
    if (!isOpen) return;
    if (ready.length === 0) {
      main.append(h("p", { class: "hint" }, say("noOnline")));
      return;
    }
    fill(
      which,
      ready.map((each) => h("option", { value: each.number }, each.nickname ?? each.name)),
    );
    main.append(
      h("p", { class: "row" }, h("label", { for: "which-account" }, say("account")), which),
      h("div", { class: "columns" }, list, h("section", {}, heading, log, form)),
    );
    await openAccount();
  }

  async function openAccount() {
    endEvents();
    endEvents = follow(`/events/stream?accounts=${which.value}`, {
      message: () => act(showHistory, { isOfUser: false }),
    });
    const { chats } = await call("GET", `${path()}/chats`);
    const all = [{ id: HELPER, name: say("filehelper") }, ...chats.filter((each) => each.id !== HELPER)];
    fill(
      list,
      all.map((each) => h("li", {}, button(each.name, () => act(() => openChat(each))))),
    );
    await openChat(all[0]);
  }

  async function openChat(next) {
    chat = next;
    heading.textContent = next.name;
    log.setAttribute("aria-label", say("messages", { name: next.name }));
    text.disabled = false;
    await showHistory();
  }

  async function showHistory() {
    if (!chat || !isOpen) return;
    const shown = chat;
    const { entries } = await call("GET", `${path()}/messages?chat=${encodeURIComponent(chat.id)}&limit=50`);
    if (shown !== chat || !isOpen) return;
    if (entries.length === 0) fill(log, h("p", { class: "hint" }, say("noMessages")));
    else fill(log, entries.reverse().map(entry));
    log.scrollTop = log.scrollHeight;
  }

  function entry({ event, send, text: sent }) {
    if (send) return bubble(true, sent, send.state === "sent" ? null : say(`state_${send.state}`), recallOf(send));
    if (event.type.endsWith("message_recalled") || event.type.endsWith("recalled")) {
      return h("p", { class: "notice" }, `${event.sender_name} ${say("wasRecalled")}`);
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
      say("recall"),
      () =>
        act(async () => {
          await call("POST", `${path()}/sends/${encodeURIComponent(send.id)}/recall`);
          await showHistory();
        }),
      { kind: "small" },
    );
  }

  act(begin);
  return () => {
    isOpen = false;
    endEvents();
  };
}
