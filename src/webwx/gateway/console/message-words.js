// Words about messages and sends, for the screens that show them.

import { KINDS } from "./shared-words.js";
import { wordsOf } from "./words.js";

const OWN = {
  // kinds of messages, besides those of both pages
  voice: ["Voice message", "语音"],
  quote: ["Reply", "引用回复"],
  app: ["App message", "应用消息"],
  requested: ["Friend request", "好友请求"],
  other: ["A message that only the phone can show", "仅手机可查看的消息"],
  gap: ["Messages may be missing here", "此处可能缺少消息"],
  forwardPicture: ["To File Transfer Helper", "转发到文件传输助手"],
  pictureForwarded: ["Forwarded to File Transfer Helper", "已转发到文件传输助手"],

  // states of a send
  queued: ["Queued", "排队中"],
  sending: ["Sending", "发送中"],
  sent: ["Sent", "已发送"],
  failed: ["Not sent", "未发送"],
  unknown: ["Unknown outcome", "结果未知"],
  recalled: ["Recalled", "已撤回"],
  whyQueued: [
    "It is stored, and sent as soon as the account is online and WeChat allows it.",
    "消息已保存，账号在线且微信允许后会自动发送。",
  ],
  whySending: ["It is on its way; WeChat has not answered yet.", "正在发送，微信尚未应答。"],
  whyFailed: ["WeChat refused it (code {ret}).", "微信拒绝了它（代码 {ret}）。"],
  whyUnknown: [
    "The connection broke before WeChat answered: it may have arrived. It is not sent again by itself, so that it cannot arrive twice. Check the chat on your phone.",
    "微信应答前连接中断：消息可能已送达。为避免重复，不会自动重发。请在手机上查看聊天。",
  ],
};

export const t = wordsOf(OWN);

/** Return the words for a kind of event or send; the name itself for one without words. */
export function kindWords(kind) {
  return kind in OWN || kind in KINDS ? t(kind) : kind;
}

/** Return the sentence that explains the state of a send; empty if the state says it all. */
export function stateReason(send, reason = "") {
  switch (send.state) {
    case "queued":
      return t("whyQueued");
    case "sending":
      return t("whySending");
    case "failed":
      return reason || t("whyFailed", { ret: send.ret });
    case "unknown":
      return t("whyUnknown");
    default:
      return "";
  }
}
