// The screens, in the groups and the order of the navigation. A screen is {name, picture, title(), open(frame)}: `name`
// stands in the address, `picture` in icons.svg, and `open` fills `frame.body` and returns {leave(), move(parts)}, both
// optional. A screen with `isOfCluster` is shown only if several machines share the accounts.

import { accounts } from "./accounts.js";
import { chats } from "./chats.js";
import { events } from "./events.js";
import { start } from "./first-steps.js";
import { health } from "./health.js";
import { incomingFiles } from "./incoming-files.js";
import { keys } from "./keys.js";
import { outbox } from "./outbox.js";
import { programs } from "./programs.js";
import { recalled } from "./recalled.js";
import { receivers } from "./receivers.js";
import { webhooks } from "./webhooks.js";
import { t } from "./words.js";
import { workers } from "./workers.js";

export const GROUPS = [
  { picture: "chats", title: () => t("messages"), screens: [chats, recalled, events, outbox] },
  { picture: "hook", title: () => t("programs"), screens: [receivers, webhooks, incomingFiles, programs, keys] },
  { picture: "settings", title: () => t("system"), screens: [accounts, health, workers] },
];

/** The screen of the first steps, which is in no group: the navigation has it until they are done or hidden. */
export const START = start;

/** Return the screen to begin with: the chats, or before the first login the first steps, or the accounts if they are hidden. */
export function firstScreen(hasLogin, isHidden) {
  if (hasLogin) return chats;
  return isHidden ? accounts : start;
}
