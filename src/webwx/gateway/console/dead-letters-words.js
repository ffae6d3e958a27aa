// Words of the list of dead letters.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  deadLetters: ["Dead letters", "死信"],
  deadLettersHint: [
    "Events that a consumer has given up after its last attempt.",
    "消费者在最后一次尝试后放弃的事件。",
  ],
  time: ["Time", "时间"],
  consumer: ["Consumer", "消费者"],
  event: ["Event", "事件"],
  why: ["Reason", "原因"],
  revive: ["Deliver again", "再次投递"],
  revived: ["The event is delivered again.", "事件正在再次投递。"],
});
