// Words of the screen of the chats.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  searchIn: ["Search in {name}", "在{name}中搜索"],
  searchHere: ["Search in this chat", "在此聊天中搜索"],
  inChat: ["In {name}", "在{name}中"],
  everywhere: ["Search all chats", "搜索所有聊天"],
  contact: ["Contact", "联系人"],
  unread: ["{n} new", "{n} 条新消息"],
  noChatOpenHint: [
    "Choose a chat. Arrow keys move in the list, Enter opens.",
    "请选择一个聊天。方向键移动，回车打开。",
  ],
  noMessages: ["No messages yet", "还没有消息"],
  noMessagesHint: [
    "The gateway shows what it has received since the first login, and what it has sent.",
    "这里显示网关自首次登录以来收到和发出的消息。",
  ],
  toNewest: ["Go to the newest messages", "回到最新消息"],
  markedRead: ["Marked as read on the phone", "已在手机上标为已读"],
  enterSends: ["Enter sends, Shift and Enter start a new line", "回车发送，Shift+回车换行"],
  attach: ["Attach files", "添加文件"],
  cancelUpload: ["Cancel", "取消"],
  pendingSending: ["Sending…", "正在发送…"],
  pendingWaiting: ["Waits for the one before", "等待前一项"],
  refused: ["Not sent: {reason}", "未发送：{reason}"],
  unanswered: [
    "The gateway has not answered. Try again: it is sent once, even if the first request arrived.",
    "网关没有应答。可以重试：即使第一次请求已到达，也只会发送一次。",
  ],
  discard: ["Discard", "放弃"],
  discardTitle: ["Discard this message?", "放弃这条消息？"],
  discardHint: ["It was not sent, and its text is deleted.", "它尚未发送，内容将被删除。"],
  retrySend: ["Send again", "重新发送"],
  openOutbox: ["Open the outbox", "打开发件箱"],
  recallWithin: ["{time} left to recall it", "还可在 {time} 内撤回"],
  tooLate: ["Too late to recall: WeChat allows it for two minutes.", "无法撤回：微信只允许在两分钟内撤回。"],
  recallLimit: ["WeChat allows a recall for two minutes after sending", "微信只允许在发送后两分钟内撤回"],
});
