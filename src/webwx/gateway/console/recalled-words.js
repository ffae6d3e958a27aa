// Words of the screen of recalled messages.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  recalledMessages: ["Recalled", "撤回的消息"],
  none: ["Nothing was recalled", "没有撤回的消息"],
  noneHint: [
    "When someone recalls a message that the gateway has received, it stays here.",
    "网关收到的消息被撤回后，会保留在这里。",
  ],
  inChat: ["in {name}", "在{name}"],
  notStored: [
    "The gateway did not have this message: it was sent and recalled while the account was offline.",
    "网关没有这条消息：它在账号离线期间发出并被撤回。",
  ],
  forward: ["Send to File Transfer Helper", "转发到文件传输助手"],
  forwarded: ["Sent to File Transfer Helper", "已转发到文件传输助手"],
  by_upload: ["The gateway sends its own copy.", "网关会发送自己保存的副本。"],
  cannotForward: ["It cannot be forwarded: WeChat has deleted its content.", "无法转发：微信已删除其内容。"],
});
