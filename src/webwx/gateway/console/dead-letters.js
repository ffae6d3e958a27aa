// Events that consumers have given up, of all accounts, with a button that delivers one again.

import { hasJournal, listAccounts } from "./account-list.js";
import { call } from "./api.js";
import { readConsumerNames } from "./consumers.js";
import { t } from "./dead-letters-words.js";
import { button, h } from "./dom.js";
import { typeWithName } from "./event-type-words.js";
import { fewAtATime } from "./few.js";
import { arrange } from "./keyed-list.js";
import { explainedText } from "./states.js";
import { table } from "./table.js";
import { ago } from "./times.js";

/** Make the list; `show(consumers)` reads the dead letters of these consumers. Without dead letters nothing is shown. */
export function deadLetters(frame) {
  const element = h("section", { class: "dead-letters" });
  let names = null; // of the consumers
  const list = table({
    label: t("deadLetters"),
    columns: [
      { title: t("time"), cell: ({ letter }) => ago(letter.time), kind: "is-narrow" },
      { title: t("consumer"), cell: ({ consumer }) => names.cellOf(consumer) },
      { title: t("event"), cell: ({ letter }) => [typeWithName(letter.event.type), h("div", { class: "hint" }, letter.event.id)] },
      { title: t("why"), cell: ({ letter }) => explainedText(letter.error, letter.error_code) },
      { title: t("actions"), cell: revival, kind: "is-narrow" },
    ],
    key: ({ consumer, letter }) => `${consumer}/${letter.event.id}`,
    none: () => h("div"),
  });
  const parts = [
    h("h3", { class: "part-title" }, t("deadLetters")),
    h("p", { class: "hint" }, t("deadLettersHint")),
    list.element,
  ];
  let shown = [];

  function revival({ account, consumer, letter }) {
    const path = `/accounts/${account.number}/consumers/${encodeURIComponent(consumer)}/dead-letters`;
    const revive = button(
      t("revive"),
      () =>
        frame.act(
          async () => {
            await call("POST", `${path}/${letter.event.number}/revive`);
            frame.notify(t("revived"));
            await show(shown);
          },
          { by: revive },
        ),
      { kind: "is-small", picture: "retry" },
    );
    return revive;
  }

  async function show(consumers) {
    shown = consumers;
    const accounts = (await listAccounts()).filter(hasJournal);
    const pairs = accounts.flatMap((account) => consumers.map((consumer) => ({ account, consumer })));
    const found = await fewAtATime(pairs, async ({ account, consumer }) => {
      const path = `/accounts/${account.number}/consumers/${encodeURIComponent(consumer)}/dead-letters`;
      const { dead_letters: letters } = await call("GET", path);
      return letters.map((letter) => ({ account, consumer, letter }));
    });
    const all = found.flat().sort((one, other) => other.letter.time.localeCompare(one.letter.time));
    if (all.length > 0) names = await readConsumerNames(consumers);
    list.show(all);
    arrange(element, all.length > 0 ? parts : []);
  }

  return { element, show };
}
