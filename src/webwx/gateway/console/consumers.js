// The readers of events by their names: the gateway names those of webhooks, programs and rules by an id, and a person knows
// them by the name that was entered.

import { call } from "./api.js";
import { t } from "./consumers-words.js";
import { h } from "./dom.js";
import { addressOf } from "./place.js";

/** Readers that are objects of the gateway: what their names begin with, where they are listed, and their screen. */
const OWNED = [
  { prefix: "webhook-", path: "/webhooks", list: "webhooks", screen: "webhooks" },
  { prefix: "program-", path: "/programs", list: "programs", screen: "programs" },
  { prefix: "incoming-files-", path: "/incoming-file-rules", list: "rules", screen: "files" },
];

/** Readers that webwx itself has. */
const BUILT_IN = ["gateway", "keep", "listen", "receive"];

/**
 * Read the names of these consumers. Returns {nameOf(consumer), cellOf(consumer)}: the name for a person, and the same as
 * elements, with a link to its screen and its kind.
 */
export async function readConsumerNames(consumers) {
  const wanted = OWNED.filter(({ prefix }) => consumers.some((each) => each.startsWith(prefix)));
  const lists = await Promise.all(wanted.map(async ({ path, list }) => (await call("GET", path))[list]));
  const known = new Map();
  wanted.forEach(({ prefix, screen }, at) => {
    for (const { id, name } of lists[at]) known.set(`${prefix}${id}`, { name, screen, id });
  });

  function nameOf(consumer) {
    if (BUILT_IN.includes(consumer)) return t(`own_${consumer}`);
    return known.get(consumer)?.name ?? consumer;
  }

  function cellOf(consumer) {
    const { name, screen, id } = known.get(consumer) ?? {};
    if (!name) return nameOf(consumer);
    return [h("a", { href: addressOf(screen, id) }, name), h("div", { class: "hint" }, t(`kind_${screen}`))];
  }

  return { nameOf, cellOf };
}
