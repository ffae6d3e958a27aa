// The screens, in the order of the navigation. A screen is {name, picture, title(), open(frame)}: `name` stands in the
// address, `picture` in icons.svg, and `open` fills `frame.body` and returns {leave(), move(parts)}, both optional. A
// screen with `isOfCluster` is shown only if several machines share the accounts.

import { accounts } from "./accounts.js";
import { chats } from "./chats.js";
import { events } from "./events.js";
import { health } from "./health.js";
import { incomingFiles } from "./incoming-files.js";
import { keys } from "./keys.js";
import { outbox } from "./outbox.js";
import { recalled } from "./recalled.js";
import { receivers } from "./receivers.js";
import { webhooks } from "./webhooks.js";
import { workers } from "./workers.js";

export const SCREENS = [
  accounts,
  chats,
  recalled,
  events,
  outbox,
  receivers,
  webhooks,
  incomingFiles,
  keys,
  health,
  workers,
];
