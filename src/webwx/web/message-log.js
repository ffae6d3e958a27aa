// What both conversations share: numbers, and the keys that move between messages.

/** Seconds after sending in which WeChat allows a recall. */
export const RECALL_WINDOW = 120;

/** Seconds between two messages from which the time is shown between them. */
export const GAP = 300;

/** Distance in pixels from an end of a conversation that counts as the end. */
export const NEAR = 80;

/** Number of messages that are shown at most: a part of those that were read, which moves as the user scrolls. */
export const MOST = 100;

/** Return the messages and notices of a log that are in the page, in their order. */
export function messagesIn(log) {
  return [...log.querySelectorAll(".message, .grey-line")];
}

/**
 * Move the focus from one message, or from the log itself, to another by the keys Up, Down, Home and End: `go(message)`
 * moves it, `before()` and `after()` past the first and the last one. Other keys, and those of a player, are left alone.
 */
export function moveByKey(event, log, { go, before, after }) {
  const all = messagesIn(log);
  const at = all.indexOf(event.target.closest(".message, .grey-line"));
  const last = all.length - 1;
  const moves = { ArrowUp: at < 0 ? last : at - 1, ArrowDown: at + 1, Home: 0, End: last };
  const isHere = (at >= 0 && !event.target.matches("audio, video")) || (event.target === log && last >= 0);
  if (!isHere || !(event.key in moves)) return;
  event.preventDefault();
  const to = moves[event.key];
  if (to < 0) before();
  else if (to >= all.length) after();
  else go(all[to]);
}
