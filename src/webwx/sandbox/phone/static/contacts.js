// Contacts: friends, chatrooms, friend requests, and the actions on them.

import { attempt, confirmDialog, formDialog, say } from "./attempts.js";
import { act } from "./control.js";
import { button, fill, h, iconButton, keepFocus, set, soon } from "./dom.js";
import { onLanguage } from "./language.js";
import { avatar, chatName, FILEHELPER, isRoom, personName, TEAM } from "./names.js";
import { empty } from "./overlays.js";
import { choosePeople } from "./people.js";
import { place } from "./place.js";
import { Rows } from "./rows.js";
import { store } from "./store.js";
import { t } from "./words.js";

export function contactsView() {
  const search = h("input", { class: "input search", type: "search", autocomplete: "off", on: { input: update } });
  const create = iconButton("plus", "", createChatroom);
  let shown = "everything";
  const kinds = ["everything", "friends", "chatrooms"].map((kind) => {
    const choose = () => {
      shown = kind;
      update();
    };
    return [kind, h("button", { type: "button", class: "chip is-choice", on: { click: choose } })];
  });
  const rows = new Rows({
    label: "",
    height: 60,
    key: (entry) => entry.id,
    render,
    choose: (entry) => place.go({ view: "contacts", contact: entry.id }),
    name: (entry) => entry.initials || entry.name,
    actions: actionsOn,
  });
  const body = h("div", { class: "list-body" });
  const element = h(
    "div",
    { class: "list" },
    h("div", { class: "list-search" }, search, create),
    h(
      "div",
      { class: "choices" },
      kinds.map(([, node]) => node),
    ),
    body,
  );

  function update() {
    for (const [kind, node] of kinds) {
      fill(node, t(kind));
      set(node, "aria-pressed", String(kind === shown));
    }
    search.placeholder = t("search");
    set(search, "aria-label", `${t("search")}: ${t("contacts")}`);
    set(create, "aria-label", t("newChatroom"));
    set(create, "title", t("newChatroom"));
    rows.label = t("contacts");
    if (!store.isKnown) return fill(body, h("p", { class: "quiet" }, t("loading")));
    const wanted = search.value.trim().toLowerCase();
    const matches = ({ name, note, initials = "", id }) =>
      [name, note, id].some((each) => each.toLowerCase().includes(wanted)) || initials.toLowerCase().startsWith(wanted);
    const found = entries()
      .filter((entry) => shown === "everything" || entry.kind === shown)
      .filter((entry) => !wanted || matches(entry));
    if (wanted && shown !== "chatrooms") found.push(...strangers().filter(matches));
    if (!found.length)
      return fill(
        body,
        empty("contacts", t(wanted ? "nothingFound" : "noContacts"), wanted ? "" : t("noContactsHint")),
      );
    if (rows.element.parentNode !== body) fill(body, rows.element);
    return rows.show(found, place.contact || null);
  }

  function render(entry, node) {
    fill(
      node,
      h("span", { class: "row-initial", "aria-hidden": "true" }, entry.letter ?? ""),
      avatar(entry.id, "is-small"),
      h(
        "span",
        { class: "row-text" },
        h("span", { class: "row-name" }, entry.name),
        entry.note && h("span", { class: "row-line" }, entry.note),
      ),
    );
  }

  store.on("contacts people", soon(update));
  return { element, update, focus: () => rows.focus() };
}

/** The rows of the list: friend requests, File Transfer Helper, chatrooms, and friends by their initials. */
function entries() {
  const compare = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;
  const byName = (one, other) => compare(one.name, other.name);
  const asking = store.asked
    .filter((id) => !store.friends.has(id))
    .map((id) => ({ id, kind: "friends", name: personName(id), note: t("friend_request") }));
  const rooms = [...store.rooms.values()]
    .filter((room) => !room.left)
    .map((room) => ({ id: room.id, kind: "chatrooms", name: chatName(room.id), note: t("members", { n: room.size }) }));
  const friends = [...store.friends.values()].map((friend) => {
    const { nickname, initials } = store.person(friend.id);
    return {
      id: friend.id,
      kind: "friends",
      name: friend.remark || nickname,
      initials: (friend.remark ? friend.initials : initials) ?? "",
      note: [friend.remark && nickname, friend.blocked && t("blocked")].filter(Boolean).join(" · "),
    };
  });
  friends.sort(
    (one, other) =>
      order(one).localeCompare(order(other), "en") || compare(one.initials, other.initials) || byName(one, other),
  );
  let last = "";
  for (const friend of friends) {
    const letter = letterOf(friend);
    if (letter !== last) friend.letter = letter;
    last = letter;
  }
  return [
    ...asking,
    { id: FILEHELPER, kind: "", name: chatName(FILEHELPER), note: "" },
    ...rooms.sort(byName),
    ...friends,
  ];
}

/** The first initial of a name, or # for one that begins with no letter. */
function letterOf({ initials }) {
  return /^[A-Z]/.test(initials) ? initials[0] : "#";
}

/** Friends without a letter come last. */
function order(friend) {
  const letter = letterOf(friend);
  return letter === "#" ? "ZZ" : letter;
}

/** Everybody else in this world, to whom a friend request can be sent. */
function strangers() {
  return [...store.people.values()]
    .filter(({ id, public: isPublic }) => id !== store.who && !isPublic && !store.friends.has(id))
    .filter(({ id }) => !store.asked.includes(id))
    .map(({ id, nickname, initials }) => ({ id, kind: "friends", name: nickname, initials, note: t("notFriends") }));
}

/** The menu of a contact. */
function actionsOn({ id }) {
  const who = store.who;
  const friend = store.friends.get(id);
  const isOpen = friend || isRoom(id) || id === FILEHELPER;
  const isStranger = !isOpen && !store.asked.includes(id);
  return [
    isOpen && { words: t("sayHello"), picture: "chats", act: () => place.openChat(id) },
    friend && { words: t("remark"), picture: "card", act: () => askRemark(id) },
    isStranger && { words: t("addFriend"), picture: "plus", act: () => askFriend(id) },
    store.asked.includes(id) && {
      words: t("accept"),
      picture: "check",
      act: () => attempt(() => act("accept", { who, asked_by: id })),
    },
    friend && {
      words: t(friend.blocked ? "unblock" : "block"),
      picture: "offline",
      act: () => attempt(() => act(friend.blocked ? "unblock" : "block", { who, whom: id })),
    },
  ].filter(Boolean);
}

// -- one contact -----------------------------------------------------------------------------------------------------

/** The panel beside the page with all fields of a person or a chatroom; it follows the open chat. */
export const detailsPanel = {
  id: "details",
  words: "details",
  shown: "",
  chat: "",
  draw: () => {},
  mount(element, { close }) {
    const backButton = iconButton("back", "", () => this.show(store.chat));
    const body = h("div", { class: "pane-body" });
    this.draw = () => {
      if (!element.checkVisibility()) return;
      if (this.chat !== store.chat) this.shown = store.chat || this.shown;
      this.chat = store.chat;
      backButton.hidden = !store.chat || this.shown === store.chat;
      set(backButton, "aria-label", t("back"));
      set(backButton, "title", t("back"));
      keepFocus(body, () => fill(body, details(this.shown, { close, look: (id) => this.show(id) })));
    };
    fill(element, h("div", { class: "panel-back" }, backButton), body);
    store.on("contacts members people rows place", soon(this.draw));
    onLanguage(this.draw);
  },
  show(id) {
    this.shown = id;
    this.chat = store.chat;
    this.draw();
  },
};

export function contactPane() {
  const backButton = iconButton("back", "", () => place.go({ contact: "" }), { class: "icon-button only-narrow" });
  const title = h("h2", { class: "pane-title" });
  const body = h("div", { class: "pane-body" });
  const element = h(
    "section",
    { class: "pane contact-pane" },
    h("header", { class: "pane-head" }, backButton, title),
    body,
  );

  function update() {
    if (!place.contact) return;
    set(backButton, "aria-label", t("back"));
    const name = chatName(place.contact);
    fill(title, name);
    set(element, "aria-label", name);
    keepFocus(body, () =>
      fill(
        body,
        details(place.contact, { close: () => {}, look: (id) => place.go({ view: "contacts", contact: id }) }),
      ),
    );
  }

  store.on("contacts people members place rows", soon(update));
  return { element, update };
}

/** All fields of a person or a chatroom: `close()` is called when the actions lead away, `look(id)` opens a profile. */
function details(id, { close, look }) {
  return isRoom(id) ? roomDetails(id, close, look) : personDetails(id, close);
}

function open(id, close) {
  return button(
    t("sayHello"),
    () => {
      close();
      place.openChat(id);
    },
    { kind: "is-main", picture: "chats" },
  );
}

/** Pin or unpin the chat; a chat without messages is not in the list. */
function pin(id) {
  const row = store.rows.get(id);
  if (!row) return null;
  return button(
    t(row.pinned ? "unpin" : "pin"),
    () => attempt(() => act(row.pinned ? "unpin" : "pin", { who: store.who, chat: id })),
    { picture: "pin" },
  );
}

function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}

function personDetails(id, close) {
  if (id === FILEHELPER || id === TEAM)
    return h(
      "div",
      { class: "profile" },
      avatar(id, "is-large"),
      h("h3", {}, chatName(id)),
      h("div", { class: "buttons" }, open(id, close), pin(id)),
    );
  const person = store.person(id);
  const friend = store.friends.get(id);
  const isAsking = store.asked.includes(id);
  const isMe = id === store.who;
  const name = personName(id);
  return h(
    "div",
    { class: "profile" },
    avatar(id, "is-large"),
    h("h3", {}, name),
    !friend && !isMe && h("p", { class: "faint" }, t("notFriends")),
    facts([
      [t("nickname"), name === person.nickname ? "" : person.nickname],
      [t("region"), person.region],
      [t("signature"), person.signature],
      [t("worldId"), id],
    ]),
    h(
      "div",
      { class: "buttons" },
      friend && open(id, close),
      pin(id),
      isAsking &&
        button(t("accept"), () => attempt(() => act("accept", { who: store.who, asked_by: id })), {
          kind: "is-main",
          picture: "check",
        }),
      friend &&
        button(t("remark"), () => askRemark(id)),
      !friend && !isMe && !person.public && button(t("addFriend"), () => askFriend(id), { picture: "plus" }),
      !isMe &&
        (friend?.blocked
          ? button(t("unblock"), () => attempt(() => act("unblock", { who: store.who, whom: id })))
          : friend && button(t("block"), () => attempt(() => act("block", { who: store.who, whom: id })))),
    ),
  );
}

function askRemark(id) {
  const value = store.friends.get(id)?.remark ?? "";
  formDialog(t("remark"), [{ name: "remark", label: t("remark"), value }], t("done"), ({ remark }) =>
    act("remark", { who: store.who, friend: id, remark }),
  );
}

function askFriend(id) {
  formDialog(
    t("addFriend"),
    [{ name: "greeting", label: t("greeting"), value: "" }],
    t("sendRequest"),
    async ({ greeting }) => {
      await act("ask", { from: store.who, to: id, greeting });
      say(t("requestSent", { name: personName(id) }));
    },
  );
}

// -- chatrooms -------------------------------------------------------------------------------------------------------

function roomDetails(id, close, look) {
  const room = store.rooms.get(id);
  if (!room || room.left)
    return h(
      "div",
      { class: "profile" },
      avatar(id, "is-large"),
      h("h3", {}, chatName(id)),
      h("p", { class: "faint" }, t("youLeft")),
    );
  const members = (store.room || store.chat) === id && store.members.length ? store.members : (room.members ?? []);
  const isOwner = members[0] === store.who;
  const name = chatName(id);
  return h(
    "div",
    { class: "profile" },
    avatar(id, "is-large"),
    h("h3", {}, name),
    h("p", { class: "faint" }, t("members", { n: room.size })),
    h(
      "ul",
      { class: "member-list", "aria-label": t("memberList") },
      members
        .slice(0, 200)
        .map((member, at) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", class: "member", on: { click: () => look(member) } },
              avatar(member, "is-small"),
              h("span", { class: "member-name" }, personName(member)),
              at === 0 && h("span", { class: "tag" }, t("owner")),
            ),
          ),
        ),
      room.size > members.slice(0, 200).length &&
        h("li", { class: "faint" }, `+${room.size - members.slice(0, 200).length}`),
    ),
    h(
      "div",
      { class: "buttons" },
      open(id, close),
      pin(id),
      button(t("invite"), () => inviteTo(id, members), { picture: "plus" }),
      isOwner && members.length > 1 && button(t("remove"), () => removeFrom(id, members)),
      button(t("rename"), () =>
        formDialog(
          t("renameChatroom"),
          [{ name: "name", label: t("chatroomName"), value: room.name ?? "" }],
          t("rename"),
          ({ name: wanted }) => act("rename", { who: store.who, chat: id, name: wanted }),
        ),
      ),
      button(t("leave"), () => leave(id, name, close), { kind: "is-danger" }),
    ),
  );
}

export function createChatroom() {
  const name = h("input", {
    class: "input",
    id: "field-chatroom-name",
    autocomplete: "off",
    placeholder: t("optional"),
  });
  choosePeople(
    t("newChatroom"),
    [...store.friends.keys()],
    t("create"),
    (people) => act("create", { who: store.who, name: name.value.trim(), people }),
    {
      then: ({ chat }) => place.openChat(chat),
      least: 2,
      hint: t("twoAtLeast"),
      extra: h("div", { class: "field" }, h("label", { for: name.id }, t("chatroomName")), name),
    },
  );
}

function inviteTo(id, members) {
  choosePeople(
    t("invitePeople"),
    [...store.friends.keys()].filter((friend) => !members.includes(friend)),
    t("invite"),
    (people) => act("invite", { who: store.who, chat: id, people }),
  );
}

function removeFrom(id, members) {
  choosePeople(
    t("removePeople"),
    members.filter((member) => member !== store.who),
    t("remove"),
    (people) => act("remove", { who: store.who, chat: id, people }),
  );
}

function leave(id, name, closeDetails) {
  confirmDialog(t("leaveChatroom", { name }), t("leaveHint"), t("leave"), () => {
    closeDetails();
    return act("leave", { who: store.who, chat: id });
  });
}
