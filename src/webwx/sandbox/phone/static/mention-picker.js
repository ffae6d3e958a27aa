// The list of members that opens at an @ in the field of a chatroom.

import { fill, h, set } from "./dom.js";
import { avatar, isRoom, personName } from "./names.js";
import { store } from "./store.js";
import { t } from "./words.js";

/** Number of members that are shown; more letters find the others. */
const MOST = 8;

/** What ends a mention: the platform's own space, by which clients recognise it. */
const END = "\u2005";

/** Return the list for a field: `insert(words, from)` replaces its text from a position to the caret. */
export function mentionPicker(field, insert) {
  const element = h("div", { class: "mentions", role: "listbox", id: "mentions", hidden: true });
  let found = []; // the members that are shown
  let at = 0; // the place of the active one
  let from = 0; // the position of the @
  let caret = 0; // the position after the word behind it

  /** Show the members that fit the word before the caret. */
  function update() {
    const before = field.value.slice(0, field.selectionStart);
    const [, word] = /(?:^|[^\w])@([^\s@]*)$/u.exec(before) ?? [];
    if (word === undefined || !isRoom(store.chat)) return close();
    caret = before.length;
    from = caret - word.length - 1;
    at = 0;
    found = membersLike(word.toLowerCase());
    return draw();
  }

  function draw() {
    fill(element, found.map(option));
    element.hidden = found.length === 0;
    set(element, "aria-label", t("memberList"));
    set(field, "aria-controls", element.hidden ? null : element.id);
    set(field, "aria-autocomplete", element.hidden ? null : "list");
    set(field, "aria-activedescendant", element.hidden ? null : `mention-${at}`);
    element.children[at]?.scrollIntoView({ block: "nearest" });
  }

  function option(id, place) {
    return h(
      "div",
      {
        class: "mention",
        role: "option",
        id: `mention-${place}`,
        "aria-selected": String(place === at),
        // The field keeps the focus.
        on: { pointerdown: (event) => event.preventDefault(), click: () => choose(id) },
      },
      avatar(id, "is-tiny"),
      h("span", { class: "member-name" }, personName(id)),
    );
  }

  function choose(id) {
    close();
    insert(`@${store.person(id).nickname}${END}`, from);
  }

  function isAtWord() {
    return field.selectionStart === caret && field.selectionEnd === caret;
  }

  function close() {
    if (element.hidden) return;
    found = [];
    draw();
  }

  /** Handle a key of the field; returns whether it was one of the list. */
  function press(event) {
    if (element.hidden || event.isComposing || !isAtWord()) return false;
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1 };
    if (event.key in moves) {
      at = (moves[event.key] + found.length) % found.length;
      draw();
    } else if (event.key === "Enter" || event.key === "Tab") choose(found[at]);
    else if (event.key === "Escape") close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  // Until the next element has the focus, a change of the page would return it to the field.
  field.addEventListener("blur", () => setTimeout(close));
  document.addEventListener("selectionchange", () => element.hidden || isAtWord() || update());
  return { element, update, press, close };
}

/** The members of the open chatroom, without the owner of the phone, whose name or initials begin with or contain a word. */
function membersLike(word) {
  const all = store.members.length ? store.members : (store.rooms.get(store.chat)?.members ?? []);
  const fits = (id) => {
    const { nickname, initials = "" } = store.person(id);
    return [personName(id), nickname].some((name) => name.toLowerCase().includes(word)) || initials.toLowerCase().startsWith(word);
  };
  return all.filter((id) => id !== store.who && fits(id)).slice(0, MOST);
}
