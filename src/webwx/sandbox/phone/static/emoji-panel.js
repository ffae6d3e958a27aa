// The panel of emoji above the field for a message. It inserts the codes that are sent, such as [微笑].

import { EMOJI_CODES, withEmoji } from "./emoji.js";
import { h, iconButton, set } from "./dom.js";
import { t } from "./words.js";

/** A button that opens the panel, and the panel: `insert(code)` is called with the chosen one, `leave()` to go back. */
export function emojiPanel({ insert, leave }) {
  const opener = iconButton("sticker", "", () => (element.hidden ? open() : close()), { "aria-expanded": "false" });
  const codes = EMOJI_CODES.map((code, index) => {
    const shown = withEmoji(code);
    return h(
      "button",
      {
        type: "button",
        class: shown === code ? "emoji is-text" : "emoji",
        title: code,
        "aria-label": code,
        tabindex: index ? "-1" : "0",
        on: { click: () => choose(code) },
      },
      shown,
    );
  });
  const element = h("div", { class: "emoji-panel", role: "group", hidden: true, on: { keydown: move } }, codes);

  function open() {
    element.hidden = false;
    set(opener, "aria-expanded", "true");
    document.addEventListener("pointerdown", away, true);
    codes.find((code) => code.tabIndex === 0).focus();
  }

  function close() {
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
    const next = codes[Math.max(0, Math.min(codes.length - 1, moves[event.key]))];
    for (const code of codes) code.tabIndex = code === next ? 0 : -1;
    next.focus();
  }

  function update() {
    for (const node of [opener, element]) set(node, "aria-label", t("emoji"));
    set(opener, "title", t("emoji"));
  }

  return { opener, element, close, update };
}
