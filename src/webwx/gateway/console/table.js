// A table whose rows are rendered again from a list; in a narrow window each row is a card. The focus stays.

import { fill, h, keepFocus } from "./dom.js";

/**
 * Make a table. `columns` are {title, cell(item), kind}: `cell` returns text or elements, `kind` is a class of the cell.
 * `key(item)` names a row. Returns {element, show(items)}; `none()` makes what is shown without rows.
 */
export function table({ label, columns, key, none }) {
  const body = h("tbody");
  const element = h("div", { class: "table-box" });
  const whole = h(
    "table",
    { class: "table", "aria-label": label },
    h("thead", {}, h("tr", {}, columns.map(({ title }) => h("th", { scope: "col" }, title)))),
    body,
  );

  function row(item) {
    return h(
      "tr",
      { "data-key": key(item) },
      columns.map(({ title, cell, kind }) => h("td", { class: kind ?? "", "data-title": title }, cell(item))),
    );
  }

  function show(items) {
    if (items.length === 0) return fill(element, none());
    keepFocus(element, () => fill(body, items.map(row)));
    if (whole.parentNode !== element) fill(element, whole);
    return undefined;
  }

  return { element, show };
}
