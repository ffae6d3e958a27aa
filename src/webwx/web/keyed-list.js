// The children of an element, as nodes with keys: what stays is neither made again nor moved, so that a screen reader
// announces it once, a picture is not loaded again, and the focus stays where it is.

/** Make `wanted` the children of an element, in this order. The one with the focus is not moved; the others move around it. */
export function arrange(parent, wanted) {
  const kept = new Set(wanted);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  const held = wanted.find((node) => node.parentNode === parent && node.contains(document.activeElement));
  let next = parent.firstChild;
  for (const node of wanted) {
    if (node === held) {
      while (next !== held) {
        const later = next;
        next = next.nextSibling;
        parent.append(later);
      }
    }
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
}

export class KeyedList {
  #made = new Map(); // by key: {state, node}
  #keys = new WeakMap(); // by node, also for those that were replaced

  /** The list is the children of `parent`. */
  constructor(parent) {
    this.parent = parent;
  }

  /** Return the node of a key that was shown last; undefined for an unknown key. */
  get(key) {
    return this.#made.get(key)?.node;
  }

  /** Return the node of a key; `make()` makes it if there is none, or if its state has changed. */
  node(key, state, make) {
    const old = this.#made.get(key);
    if (old && old.state === state) return old.node;
    const node = make();
    this.#made.set(key, { state, node });
    this.#keys.set(node, key);
    return node;
  }

  /**
   * Show these nodes, and forget all others. If the node with the focus is gone, returns the nodes from its place on,
   * first the one that was made for the same key; else null.
   */
  show(wanted) {
    const before = this.parent.contains(document.activeElement) ? [...this.parent.children] : [];
    const at = before.findIndex((child) => child.contains(document.activeElement));
    const kept = new Set(wanted);
    for (const [each, { node }] of this.#made) if (!kept.has(node)) this.#made.delete(each);
    arrange(this.parent, wanted);
    if (at < 0 || kept.has(before[at])) return null;
    const same = this.get(this.#keys.get(before[at]));
    const place = before.slice(at).find((child) => kept.has(child));
    const rest = place ? wanted.slice(wanted.indexOf(place)) : [];
    return same ? [same, ...rest] : rest;
  }

  /** Forget all nodes, so that each is made again. */
  clear() {
    this.#made.clear();
  }
}
