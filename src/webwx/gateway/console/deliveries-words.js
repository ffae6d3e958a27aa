// Words of the list of a webhook's deliveries.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  deliveries: ["Deliveries", "发送记录"],
  noDeliveries: ["Nothing was sent yet", "还没有发送记录"],
  noDeliveriesHint: ["Events appear here as they are sent.", "发送的事件会显示在这里。"],
  time: ["Time", "时间"],
  event: ["Event", "事件"],
  attempt: ["Attempt", "次数"],
  outcome: ["Outcome", "结果"],
  noAnswer: ["no answer", "无响应"],
  nextAttempt: ["Next attempt", "下次尝试："],
  duration: ["Duration", "耗时"],
  answer: ["Answer", "响应"],
  origin_replay: ["sent again", "重新发送"],
  origin_notice: ["notice", "通知"],
  origin_test: ["test", "测试"],
  replay: ["Send again", "重新发送"],
  replayPeriod: ["Send a period again", "重新发送一段时间的事件"],
  from: ["From", "从"],
  to: ["Until", "到"],
  toHint: ["Empty: until now.", "留空：到现在。"],
  replayed: ["Events that are sent again: {n}.", "正在重新发送的事件：{n} 个。"],
});
