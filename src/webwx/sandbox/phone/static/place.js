// Where the page is: whose phone, which view, which chat or contact. It stands in the address, so a reload comes back.

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
   * Go somewhere; what is not named stays. Who opens a chat wants to write in it, also when it was open, or to read the
   * `message` with that id.
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

  /** Take somebody else's phone into the hand; it lies there with nothing open. */
  take(who) {
    this.go({ who, chat: "", contact: "" });
  }

  openChat(chat) {
    this.go({ view: "chats", chat, isToWrite: true });
  }

  openMessage(chat, message) {
    this.go({ view: "chats", chat, message });
  }

  /** Go where the address says, as far as that exists. */
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

  /** A phone tells the platform which chat is opened and left; its count of unread messages goes with that. */
  #tellPhone(left, now) {
    if (left.who === now.who && left.chat === now.chat) return;
    if (left.chat && store.people.has(left.who)) attempt(() => act("close", { who: left.who, chat: left.chat }));
    if (now.chat) attempt(() => act("open", { who: now.who, chat: now.chat }));
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // somebody has typed half a character
  }
}

export const place = new Place();
