// Selection of people: the owner of the phone, and the members of a chatroom.

import { attempt } from "./attempts.js";
import { button, fill, h, icon, set } from "./dom.js";
import { avatar, chatName } from "./names.js";
import { dialog, empty } from "./overlays.js";
import { place } from "./place.js";
import { Rows } from "./rows.js";
import { store } from "./store.js";
import { t } from "./words.js";

/** Switch to another person's phone. */
export function switchPerson() {
  const element = dialog(t("people"), (close) => {
    const { search, body } = searched([...store.people.keys()], {
      label: t("people"),
      selected: store.who,
      note: (id) =>
        [store.login(id) && t("loggedIn"), store.person(id).offline && t("isOffline")].filter(Boolean).join(" · "),
      choose: (id) => {
        close();
        place.take(id);
      },
    });
    return [h("p", { class: "hint" }, t("peopleHint")), search, body];
  });
  return element;
}

/**
 * Select people; `act(ids)` is run as an attempt when the button is pressed, and `then` with its result after the dialog,
 * so that it can move the focus.
 */
export function choosePeople(
  title,
  ids,
  action,
  act,
  { least = 1, most = Infinity, extra = null, hint = "", then = () => {} } = {},
) {
  const chosen = new Set();
  dialog(title, (close) => {
    const count = h("span", { class: "faint", role: "status" });
    const go = button(action, press, { kind: "is-main", disabled: true });
    const { search, body, redraw } = searched(ids, {
      label: title,
      isChosen: (id) => chosen.has(id),
      choose: (id) => {
        if (chosen.has(id)) chosen.delete(id);
        else if (most === 1) {
          chosen.clear();
          chosen.add(id);
        } else chosen.add(id);
        redraw();
        go.disabled = chosen.size < least || chosen.size > most;
        fill(count, t("chosen", { n: chosen.size }));
      },
    });
    async function press() {
      let made;
      const isDone = await attempt(async () => {
        made = await act([...chosen]);
      });
      if (!isDone) return;
      close();
      then(made);
    }
    return [
      extra,
      search,
      body,
      hint && h("p", { class: "hint" }, hint),
      h("div", { class: "dialog-buttons" }, count, h("span", { class: "stretch" }), button(t("cancel"), close), go),
    ];
  });
}

/** The nickname of a person; a chatroom has none. */
function nickname(id) {
  return store.people.get(id)?.nickname ?? "";
}

/** A list of people or chats with a field that filters it. */
function searched(ids, { label, choose, selected = null, isChosen = null, note = () => "" }) {
  const search = h("input", {
    class: "input search",
    type: "search",
    autocomplete: "off",
    placeholder: t("search"),
    "aria-label": t("search"),
    autofocus: true,
    on: { input: redraw, keydown: press },
  });
  const rows = new Rows({ label, height: 56, key: (id) => id, choose, name: chatName, render });
  const body = h("div", { class: "chosen-from" });
  if (isChosen) set(rows.element, "aria-multiselectable", "true");
  redraw();

  function redraw() {
    const wanted = search.value.trim().toLowerCase();
    const found = wanted
      ? ids.filter((id) => `${chatName(id)} ${nickname(id)} ${id}`.toLowerCase().includes(wanted))
      : ids;
    if (found.length) {
      fill(body, rows.element);
      rows.show(found, selected);
    } else {
      fill(body, empty("search", t("nothingFound"), ""));
    }
  }

  function press(event) {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    rows.focus();
  }

  function render(id, node) {
    const name = chatName(id);
    const line = [name === nickname(id) ? "" : nickname(id), note(id)].filter(Boolean).join(" · ");
    const is = isChosen?.(id) ?? id === selected;
    set(node, "aria-checked", isChosen ? String(is) : null);
    fill(
      node,
      avatar(id, "is-small"),
      h(
        "span",
        { class: "row-text" },
        h("span", { class: "row-name" }, name),
        line && h("span", { class: "row-line" }, line),
      ),
      is && icon("check"),
    );
  }

  return { search, body, redraw };
}
