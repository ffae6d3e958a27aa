// The place in the page: the phone, the view, the chat or contact. It is in the address, so a reload restores it.

import { attempt } from "./attempts.js";
import { act } from "./control.js";
import { isRoom } from "./names.js";
import { store } from "./store.js";

export const VIEWS = ["chats", "contacts", "device"];

class Place extends EventTarget {
  view = "chats";
  /** World id of the contact that is shown. */
  contact = "";

  /**
   * Go to a place; what is not named stays. `isToWrite` moves the focus to the field for a message, and `message` scrolls to
   * the message with that id.
   */
  go({ who = store.who, view = this.view, chat = store.chat, contact = this.contact, isToWrite = false, message = "" }) {
    const path = [who, view, view === "contacts" ? contact : chat].map(encodeURIComponent).join("/");
    const left = { who: store.who, chat: store.chat };
    this.view = view;
    this.contact = view === "contacts" ? contact : "";
    if (location.hash !== `#${path}`) history.pushState(null, "", `#${path}`);
    store.look(who, chat, isRoom(this.contact) ? this.contact : "");
    this.dispatchEvent(
      new CustomEvent("moved", {
        detail: { isFirst: !left.who, isToWrite: isToWrite || left.who !== who || left.chat !== chat, message },
      }),
    );
    this.#tellPhone(left, { who, chat });
  }

  /** Switch to another person's phone, with no chat open. */
  take(who) {
    this.go({ who, chat: "", contact: "" });
  }

  openChat(chat) {
    this.go({ view: "chats", chat, isToWrite: true });
  }

  openMessage(chat, message) {
    this.go({ view: "chats", chat, message });
  }

  /** Go to the place in the address, as far as it exists. */
  follow() {
    const [who = "", view = "chats", what = ""] = location.hash.slice(1).split("/").map(decoded);
    const known = store.people.has(who) ? who : [...store.people.keys()][0];
    if (!known) return;
    const isView = VIEWS.includes(view);
    this.go({
      who: known,
      view: isView ? view : "chats",
      chat: isView && view !== "contacts" && known === who ? what : "",
      contact: view === "contacts" ? what : "",
    });
  }

  /**
   * Notify the platform of the opened or left chat, as a phone does; this clears the unread count. A chat in a hidden page
   * is not opened.
   */
  #tellPhone(left, now) {
    if (left.who === now.who && left.chat === now.chat) return;
    if (left.chat && store.people.has(left.who)) attempt(() => act("close", { who: left.who, chat: left.chat }));
    if (now.chat && !document.hidden) attempt(() => act("open", { who: now.who, chat: now.chat }));
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // the percent-encoding of the address is incomplete
  }
}

export const place = new Place();
