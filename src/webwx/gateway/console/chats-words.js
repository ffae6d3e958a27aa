// Words of the screen of the chats.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  chats: ["Chats", "聊天"],
  noOnline: ["No account is logged in. Log in on the screen Accounts.", "没有已登录的账号，请先在“账号”页登录。"],
  chooseChat: ["Choose a chat", "请选择一个聊天"],
  messages: ["Messages with {name}", "与{name}的消息"],
  noMessages: ["No messages yet", "还没有消息"],
  message: ["Message", "消息"],
  send: ["Send", "发送"],
  recall: ["Recall", "撤回"],
  wasRecalled: ["A message was recalled", "撤回了一条消息"],
  state_queued: ["waits to be sent", "等待发送"],
  state_sending: ["is being sent", "正在发送"],
  state_unknown: ["The outcome is unknown: it may have arrived, so it is not sent again.", "结果未知：可能已送达，不会自动重发。"],
  state_failed: ["was not sent", "发送失败"],
  state_recalled: ["recalled", "已撤回"],
});
