// Names of the types of events.

import { h } from "./dom.js";
import { wordsOf } from "./words.js";

const TYPES = {
  "account.state": ["State of an account", "账号状态"],
  "chatroom.dissolved": ["Chatroom dissolved", "群聊已解散"],
  "chatroom.member_joined": ["Member joined", "成员加入群聊"],
  "chatroom.member_removed": ["Member removed", "成员被移出群聊"],
  "chatroom.owner_changed": ["New owner of a chatroom", "群主变更"],
  "chatroom.rejoined": ["Joined a chatroom again", "重新加入群聊"],
  "chatroom.renamed": ["Chatroom renamed", "群聊改名"],
  "contact.changed": ["Contact changed", "联系人变更"],
  "contact.deleted": ["Contact deleted", "联系人已删除"],
  "continuity.lost": ["Messages may be missing", "可能缺少消息"],
  "friend.added": ["Friend added", "已添加好友"],
  "friend.confirmation_required": ["Not a friend any more", "对方已不是好友"],
  "friend.possible": ["Possible friend", "可能认识的人"],
  "friend.requested": ["Friend request", "好友请求"],
  "identity.ambiguous": ["Person not recognised for certain", "无法确定联系人身份"],
  "loop.detected": ["Bots answer each other", "机器人互相回复"],
  "message.app": ["App message", "应用消息"],
  "message.call": ["Call", "通话"],
  "message.card": ["Contact card", "名片"],
  "message.file": ["File", "文件"],
  "message.group_note": ["Group note", "群接龙"],
  "message.history": ["Chat history", "聊天记录"],
  "message.image": ["Picture", "图片"],
  "message.link": ["Link", "链接"],
  "message.live_location": ["Live location", "位置共享"],
  "message.live_location_ended": ["Live location ended", "位置共享结束"],
  "message.location": ["Location", "位置"],
  "message.mini_program": ["Mini program", "小程序"],
  "message.music": ["Music", "音乐"],
  "message.pat": ["Pat", "拍一拍"],
  "message.quarantined": ["Message that could not be read", "无法解析的消息"],
  "message.quote": ["Reply", "引用回复"],
  "message.quote.text": ["Reply with a text", "文字引用回复"],
  "message.recalled": ["Message recalled", "消息已撤回"],
  "message.red_packet": ["Red packet", "红包"],
  "message.red_packet_notice": ["Notice about a red packet", "红包通知"],
  "message.rejected": ["Message rejected", "消息被拒收"],
  "message.split_bill_notice": ["Notice about a split bill", "群收款通知"],
  "message.sticker": ["Sticker", "表情"],
  "message.system": ["Notice of WeChat", "系统通知"],
  "message.text": ["Text", "文字消息"],
  "message.transfer": ["Transfer of money", "转账"],
  "message.unknown": ["Message of an unknown kind", "未知类型的消息"],
  "message.video": ["Video", "视频"],
  "message.voice": ["Voice message", "语音"],
  "phone.activity": ["Activity on the phone", "手机上的操作"],
  "send.changed": ["State of a send", "发送状态变更"],
  "state.timed_out": ["Conversation timed out", "机器人会话超时"],
  "webhook.disabled": ["Webhook disabled", "Webhook 已停用"],
  "webhook.failing": ["Webhook fails", "Webhook 投递失败"],
  "webhook.test": ["Test of a webhook", "Webhook 测试"],
};

const PATTERNS = {
  "message.*": ["All messages", "所有消息"],
  "chatroom.*": ["All changes of chatrooms", "所有群聊变更"],
  "contact.*": ["All changes of contacts", "所有联系人变更"],
  "friend.*": ["All about friends", "所有好友事件"],
};

const t = wordsOf({ ...TYPES, ...PATTERNS });

/** The types and patterns that a filter can have, those of many types first. */
export const FILTERS = [...Object.keys(PATTERNS), ...Object.keys(TYPES).filter((type) => type !== "webhook.test")];

/** Return the name of a type of events, or of a pattern; the type itself for one without a name. */
export function typeName(type) {
  return t(type);
}

/** Return the type or pattern with a name in the language of the page; any other text is returned unchanged. */
export function typeOfName(name) {
  return FILTERS.find((type) => typeName(type).toLowerCase() === name.toLowerCase()) ?? name;
}

/** Return the name of a type, and the type itself, which the API and filters have. */
export function typeWithName(type) {
  const name = typeName(type);
  return name === type ? type : [name, " ", h("code", { class: "hint" }, type)];
}
