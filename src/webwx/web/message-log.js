// Numbers that both conversations share.

/** Seconds after sending in which WeChat allows a recall. */
export const RECALL_WINDOW = 120;

/** Seconds between two messages from which the time is shown between them. */
export const GAP = 300;

/** Distance in pixels from an end of a conversation that counts as the end. */
export const NEAR = 80;

/** Number of messages that are shown at most: a part of those that were read, which moves as the user scrolls. */
export const MOST = 100;
