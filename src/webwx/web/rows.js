// A list of any length: only visible rows are in the page. Arrows, Home, End, Page keys and letters move the focus.

import { onContextMenu } from "./context-menu.js";
import { h, set } from "./dom.js";
import { arrange } from "./keyed-list.js";
import { menu } from "./overlays.js";

const BEYOND = 6;

export class Rows {
  #items = [];
  #keys = new Map();
  #nodes = new Map();
  #current = null;

  /**
   * `key(item)` names a row, `render(item, node)` fills it, `choose(item)` opens it; `height` is that of each row in pixels.
   * `name(item)` begins with the letters that move the focus to it, and `actions(item)` are the items of its menu.
   */
  constructor({ label, height, key, render, choose, name, actions = null }) {
    Object.assign(this, { height, key, render, choose, name, actions });
    this.spacer = h("div", { class: "rows-spacer", role: "presentation" });
    this.element = h(
      "div",
      {
        class: "rows",
        role: "listbox",
        "aria-label": label,
        tabindex: "-1",
        on: { scroll: () => this.#draw(), keydown: (event) => this.#press(event) },
      },
      this.spacer,
    );
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  set label(words) {
    this.element.setAttribute("aria-label", words);
  }

  /** Show these items; `selected` is the key of the open one. */
  show(items, selected = null) {
    this.#items = items;
    this.#keys = new Map(items.map((item, index) => [this.key(item), index]));
    this.selected = selected;
    if (!this.#keys.has(this.#current))
      this.#current = selected && this.#keys.has(selected) ? selected : items.length ? this.key(items[0]) : null;
    this.spacer.style.setProperty("height", `${items.length * this.height}px`);
    this.#draw(true);
  }

  /** Move the focus to the open row, or to the first. */
  focus() {
    if (this.selected !== null && this.#keys.has(this.selected)) this.#current = this.selected;
    this.#go(this.#keys.get(this.#current) ?? 0);
  }

  #draw(isNew = false) {
    const top = Math.max(0, Math.floor(this.element.scrollTop / this.height) - BEYOND);
    const bottom = Math.min(
      this.#items.length,
      Math.ceil((this.element.scrollTop + (this.element.clientHeight || 800)) / this.height) + BEYOND,
    );
    const wanted = new Set();
    for (let index = top; index < bottom; index++) wanted.add(this.key(this.#items[index]));
    // The row with the focus stays in the page, so that scrolling does not lose the focus.
    if (
      this.#current !== null &&
      this.#keys.has(this.#current) &&
      this.#nodes.get(this.#current)?.contains(document.activeElement)
    )
      wanted.add(this.#current);
    for (const key of this.#nodes.keys()) if (!wanted.has(key)) this.#nodes.delete(key);
    for (const key of wanted) this.#place(key, isNew);
    this.#sort();
    if (this.#current !== null && !this.#nodes.has(this.#current) && this.#nodes.size) this.element.tabIndex = 0;
    else this.element.tabIndex = -1;
  }

  #place(key, isNew) {
    const index = this.#keys.get(key);
    let node = this.#nodes.get(key);
    if (!node) {
      node = h("div", {
        class: "row",
        role: "option",
        on: { click: () => this.#choose(key), focus: () => this.#focused(key) },
      });
      if (this.actions) onContextMenu(node, (at) => this.#openMenu(key, node, at));
      this.#nodes.set(key, node);
      this.render(this.#items[index], node);
    } else if (isNew) {
      this.render(this.#items[index], node);
    }
    node.style.setProperty("height", `${this.height}px`);
    node.style.setProperty("transform", `translateY(${index * this.height}px)`);
    node.tabIndex = key === this.#current ? 0 : -1;
    set(node, "aria-selected", String(key === this.selected));
    set(node, "aria-setsize", String(this.#items.length));
    set(node, "aria-posinset", String(index + 1));
  }

  /** Keep the rows in the order of the list, for screen readers. */
  #sort() {
    const inOrder = [...this.#nodes.keys()].sort((one, other) => this.#keys.get(one) - this.#keys.get(other));
    arrange(
      this.spacer,
      inOrder.map((key) => this.#nodes.get(key)),
    );
  }

  #focused(key) {
    const before = this.#nodes.get(this.#current);
    if (before) before.tabIndex = -1;
    this.#current = key;
    this.#nodes.get(key).tabIndex = 0;
  }

  #openMenu(key, node, at) {
    const item = this.#items[this.#keys.get(key)];
    const items = item === undefined ? [] : this.actions(item);
    if (!items.length) return;
    this.#focused(key);
    const back = { focus: () => (this.#keys.has(key) ? this.#go(this.#keys.get(key)) : this.focus()) };
    menu(node, node.getAttribute("aria-label"), items, { at, back });
  }

  #choose(key) {
    this.#current = key;
    this.choose(this.#items[this.#keys.get(key)]);
  }

  #press(event) {
    const at = this.#keys.get(this.#current) ?? 0;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 1);
    const moves = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.#items.length - 1,
    };
    if (event.key in moves) {
      event.preventDefault();
      this.#go(moves[event.key]);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (this.#current !== null) this.#choose(this.#current);
    } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && this.name) {
      this.#goByLetter(event.key.toLowerCase(), at);
    }
  }

  #goByLetter(letter, at) {
    for (let step = 1; step <= this.#items.length; step++) {
      const index = (at + step) % this.#items.length;
      if (this.name(this.#items[index]).toLowerCase().startsWith(letter)) return this.#go(index);
    }
    return undefined;
  }

  #go(wanted) {
    if (!this.#items.length) return;
    const index = Math.max(0, Math.min(this.#items.length - 1, wanted));
    const top = index * this.height;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + this.height > this.element.scrollTop + this.element.clientHeight)
      this.element.scrollTop = top + this.height - this.element.clientHeight;
    this.#current = this.key(this.#items[index]);
    this.#draw();
    if (!this.#nodes.has(this.#current)) this.#place(this.#current, false);
    this.#sort();
    for (const [key, node] of this.#nodes) node.tabIndex = key === this.#current ? 0 : -1;
    this.#nodes.get(this.#current).focus({ preventScroll: true });
  }
}
