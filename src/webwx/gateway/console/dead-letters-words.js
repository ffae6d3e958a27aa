// Words of the list of dead letters.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  deadLetters: ["Events that were given up", "放弃处理的事件"],
  deadLettersHint: [
    "A program failed to handle them, in its last attempt too. The API calls them dead letters.",
    "程序多次尝试后仍未能处理这些事件。API 中称为 dead letter。",
  ],
  time: ["Time", "时间"],
  consumer: ["Program", "程序"],
  event: ["Event", "事件"],
  why: ["Reason", "原因"],
  revive: ["Deliver again", "再次投递"],
  revived: ["The event is delivered again.", "事件正在再次投递。"],
});
