// Words of the screen of the outbox.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  outbox: ["Outbox", "发件箱"],
  hint: [
    "Every message that was sent through this gateway, by programs and by this page.",
    "程序和本页面通过此网关发送的所有消息。",
  ],
  state: ["State", "状态"],
  allStates: ["All states", "所有状态"],
  to: ["To", "收件人"],
  what: ["Message", "消息"],
  when: ["Stored", "保存时间"],
  none: ["Nothing was sent yet", "还没有发送记录"],
  noneHint: ["Messages that are sent from here appear in this list.", "从这里发送的消息会出现在此列表中。"],
  noneFits: ["No message has this state", "没有此状态的消息"],
  refresh: ["Refresh", "刷新"],
  retry: ["Send again", "重新发送"],
  retryTitle: ["Send this message again?", "重新发送这条消息？"],
  retryQueued: ["The gateway sends it now instead of later.", "现在就尝试发送，而不是稍后。"],
  retryFailed: ["WeChat has refused it before, and may do so again.", "微信之前拒绝过它，可能会再次拒绝。"],
  retryUnknown: [
    "It may have arrived already. Look at the chat on your phone first; if it is there, the other person gets it twice.",
    "它可能已经送达。请先在手机上查看聊天；如果已在其中，对方会收到两次。",
  ],
  retried: ["It was sent", "已发送"],
  forget: ["Forget", "删除记录"],
  forgetTitle: ["Forget this message?", "删除这条发送记录？"],
  forgetHint: [
    "It is deleted from the outbox and not sent any more. A program that repeats its request then sends it again.",
    "它会从发件箱删除，不再发送。程序若重复请求，会再次发送。",
  ],
  forgotten: ["Deleted from the outbox", "已从发件箱删除"],
  openChat: ["Open the chat with {name}", "打开与{name}的聊天"],
  unknownCount: ["Messages that may or may not have arrived: {n}", "不确定是否送达的消息：{n} 条"],
  unknownHint: [
    "For each of them, look at the chat on your phone. If the message is there, forget it here; if not, send it again.",
    "请逐条在手机上查看聊天。如果消息已在其中，请删除记录；如果没有，请重新发送。",
  ],
});
