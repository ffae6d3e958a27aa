// A table whose rows are shown from a list again and again; in a narrow window each row is a card. Rows have keys: what has
// not changed is not made again, so that the focus, a selection, an open part and the reading position of a screen reader stay.

import { fill, h, keepFocus } from "./dom.js";
import { KeyedList } from "./keyed-list.js";

/** What has a listener, which knows the item for which it was made. */
const CONTROLS = "button, input, select, textarea";

/**
 * Make a table. `columns` are {title, cell(item), kind}: `cell` returns text or elements, `kind` is a class of the cell.
 * `key(item)` names a row, and `item` is a value of JSON. Returns {element, show(items)}; `none()` makes what is shown
 * without rows.
 */
export function table({ label, columns, key, none }) {
  const body = h("tbody");
  const rows = new KeyedList(body);
  const shown = new WeakMap(); // by row: the item as JSON, and its cells as they were made
  const element = h("div", { class: "table-box" });
  const whole = h(
    "table",
    { class: "table", "aria-label": label },
    h("thead", {}, h("tr", {}, columns.map(({ title }) => h("th", { scope: "col" }, title)))),
    body,
  );

  function row(item) {
    const name = String(key(item));
    const node = rows.node(name, null, () => h("tr", { "data-key": name }));
    const json = JSON.stringify(item);
    const before = shown.get(node);
    const hasNews = before?.json !== json;
    const cells = columns.map(({ title, cell, kind }) => h("td", { class: kind ?? "", "data-title": title }, cell(item)));
    const made = cells.map((cell) => cell.cloneNode(true)); // that in the page changes, such as a part that was opened
    cells.forEach((cell, at) => {
      if (!before) node.append(cell);
      else if (!before.made[at].isEqualNode(cell) || (hasNews && cell.querySelector(CONTROLS))) {
        node.children[at].replaceWith(cell);
      }
    });
    shown.set(node, { json, made });
    return node;
  }

  function show(items) {
    if (items.length === 0) {
      rows.show([]);
      return fill(element, none());
    }
    keepFocus(element, () => rows.show(items.map(row)));
    if (whole.parentNode !== element) fill(element, whole);
    return undefined;
  }

  return { element, show };
}
