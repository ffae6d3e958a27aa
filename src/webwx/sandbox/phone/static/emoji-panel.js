// The panel of emoji above the field for a message. It inserts the codes that are sent, such as [微笑].

import { EMOJI_CODES, withEmoji } from "./emoji.js";
import { fill, h, iconButton, set } from "./dom.js";
import { t } from "./words.js";

/** A button that opens the panel, and the panel: `insert(code)` is called with the chosen one, `leave()` to go back. */
export function emojiPanel({ insert, leave }) {
  const opener = iconButton("sticker", "", () => (element.hidden ? open() : close()), { "aria-expanded": "false" });
  const element = h("div", { class: "emoji-panel", role: "group", hidden: true, on: { keydown: move } });
  let codes = []; // the buttons, while the panel is open
  let last = 0; // the place of the one that had the focus

  function buttonOf(code) {
    const shown = withEmoji(code);
    return h(
      "button",
      {
        type: "button",
        class: shown === code ? "emoji is-text" : "emoji",
        title: code,
        "aria-label": code,
        tabindex: "-1",
        on: { click: () => choose(code) },
      },
      shown,
    );
  }

  function open() {
    codes = EMOJI_CODES.map(buttonOf);
    fill(element, codes);
    element.hidden = false;
    set(opener, "aria-expanded", "true");
    document.addEventListener("pointerdown", away, true);
    go(last);
  }

  function close() {
    codes = [];
    fill(element);
    element.hidden = true;
    set(opener, "aria-expanded", "false");
    document.removeEventListener("pointerdown", away, true);
  }

  function away(event) {
    if (!element.contains(event.target) && !opener.contains(event.target)) close();
  }

  function choose(code) {
    close();
    insert(code);
    leave();
  }

  /** Arrows move in the panel by columns and rows. */
  function move(event) {
    const at = codes.indexOf(document.activeElement);
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
      opener.focus();
      return;
    }
    const top = codes[0].offsetTop;
    const columns = codes.findIndex((code) => code.offsetTop > top);
    const moves = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at + columns,
      ArrowUp: at - columns,
      Home: 0,
      End: codes.length - 1,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    go(Math.max(0, Math.min(codes.length - 1, moves[event.key])));
  }

  function go(place) {
    codes[last].tabIndex = -1;
    codes[place].tabIndex = 0;
    codes[place].focus();
    last = place;
  }

  function update() {
    for (const node of [opener, element]) set(node, "aria-label", t("emoji"));
    set(opener, "title", t("emoji"));
  }

  return { opener, element, close, update };
}
