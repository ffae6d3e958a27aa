// The fields of a form that select events by chats, author and accounts, for webhooks and rules of incoming files.

import { accountName } from "./account-list.js";
import { t } from "./event-filter-words.js";
import { choice, field, partsOf, textInput, ticks } from "./forms.js";

const AUTHORS = { "": null, others: false, me: true };

/** Make the fields for {chats, is_self, accounts} of the API. Returns {elements, body()}. */
export function eventFilter(accounts, { chats, is_self: isSelf, accounts: chosen }) {
  const which = textInput(chats.join(", "));
  const author = choice(
    [
      ["", t("anyone")],
      ["others", t("others")],
      ["me", t("me")],
    ],
    Object.keys(AUTHORS).find((each) => AUTHORS[each] === isSelf),
  );
  const numbers = accounts.map((account) => account.number);
  const boxes = ticks(
    t("accounts"),
    accounts.map((account) => [account.number, accountName(account)]),
    chosen ?? numbers,
    "accounts",
  );
  return {
    elements: [
      field(t("chats"), which, t("chatsHint"), "chats"),
      field(t("author"), author, null, "is_self"),
      accounts.length > 1 && boxes.element,
    ],
    body() {
      const ticked = boxes.values();
      return {
        chats: partsOf(which.value),
        is_self: AUTHORS[author.value],
        accounts: ticked.length === numbers.length ? null : ticked,
      };
    },
  };
}
