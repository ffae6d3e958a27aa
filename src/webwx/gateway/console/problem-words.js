// What the refusals of the gateway mean, in Chinese. In English its own sentence is shown, which says most; on a Chinese page
// that sentence stands small below, if it has more than these do.

import { language } from "./language.js";

/** Sentences for all codes of problems. */
const CODES = {
  "address-refused": "网关不连接这个地址，例如因为它属于本机或私有网络。",
  "already-running": "另一个进程正在同步此登录状态。",
  "answer-too-large": "应答超过大小上限。",
  "api-error": "微信拒绝了此操作。",
  "bad-origin": "其他网站的页面不能调用网关。",
  "bad-request": "请求无效。",
  "bad-signature": "集群节点之间的请求签名无效，未执行任何操作。",
  "body-too-large": "内容超过网关接受的大小。",
  "broke-off": "连接中断，收到的数据不完整。",
  "channel-failed": "未能通过此方式通知所有者。",
  "change-refused": "有一个值无法保存，因此未保存任何内容。",
  "chat-not-allowed": "此程序不能使用这个会话。",
  conflict: "当前状态不允许此操作。",
  "connect-failed": "无法建立连接，未发送任何内容。",
  "database-unreachable": "数据库没有响应，请稍后再试。",
  "empty-file": "文件是空的，微信不接受空文件。",
  "empty-text": "文字是空的。",
  forbidden: "权限不足。",
  "gateway-failed": "网关现在无法执行此请求，或出现故障。",
  "gateway-refused": "网关拒绝了此请求。",
  "handler-failed": "程序处理此事件时出错。",
  "internal-error": "网关出错，详情见其日志。",
  "invalid-body": "请求内容的格式不符合处理函数的要求。",
  "invalid-cursor": "游标无效或已损坏。",
  "invalid-login": "无法读取已保存的登录状态，或其内容不完整。",
  "invalid-request": "无法执行此请求，未发送任何内容。",
  "invalid-settings": "选项、环境变量或配置文件无效。",
  "key-reused": "这次发送的标识已用于另一条消息，未发送任何内容。",
  "local-state-error": "此机器上的状态不允许此操作。",
  "logged-out": "微信已结束登录，请重新登录。",
  "login-refused": "微信不允许此账号在这里登录。",
  "login-stopped": "登录已停止。",
  "login-timeout": "没有及时扫码或确认，请重新登录。",
  "media-unavailable": "无法获取媒体文件：尚未就绪、已撤回或已过期。",
  "messages-missing": "应答中的消息不完整，将重新获取。",
  "method-not-allowed": "此地址不支持这种操作。",
  "no-answer": "没有及时收到回答。",
  "no-journal": "此操作需要消息库，但没有消息库。",
  "no-owner": "现在没有可连接的节点运行此账号，未执行任何操作。",
  "no-room": "网关没有空间保存此文件，未保存任何内容。",
  "no-such-file": "此路径没有可读取的文件。",
  "not-a-picture": "不是微信能显示的图片格式。",
  "not-accepted": "服务器已应答，但没有接受此事件。",
  "not-acceptable": "无法以所要求的格式应答。",
  "not-forwardable": "这条消息没有可以转发的内容。",
  "not-found": "不存在，或无权访问。",
  "not-logged-in": "尚未登录，请先登录。",
  "not-on-the-wire": "微信网页协议不支持此内容，未发送任何内容。",
  "not-on-this-host": "当前登录方式不支持此操作。",
  "not-owner": "此账号现在由另一个进程运行，未保存任何内容。",
  "not-there-yet": "内容尚未就绪，可以稍后再试。",
  "not-through-gateway": "通过网关不能执行此操作。",
  overflow: "内容超过上限。",
  "protocol-error": "收到了不符合协议的应答。",
  "proxy-failed": "无法连接代理，或代理拒绝连接，未发送任何内容。",
  "range-not-satisfiable": "所请求的范围超出文件。",
  "rate-limit-reached": "已达到此账号的频率限制，未发送任何内容。",
  "rate-limited": "操作过于频繁，请等几分钟再试。",
  "recall-expired": "消息发出已超过两分钟，未能撤回。",
  "recall-refused": "这条消息不是你发的，或无法识别，未能撤回。",
  "recipient-rejected": "对方不是好友，或会话已不存在。",
  "record-changed": "内容已被别人修改或删除，未作任何修改，请刷新后重试。",
  "reply-limit-reached": "机器人在一个会话中回复过多，已暂停回复。",
  "send-outcome-unknown": "不确定是否已经执行。",
  "stale-contact": "这个 id 属于以前的登录，现在不再有效。",
  "storage-error": "无法读取或保存登录状态或消息库。",
  "text-too-long": "文字超过微信一条消息的长度上限。",
  timeout: "没有及时收到应答。",
  "tls-error": "服务器证书无效，未发送任何内容。",
  "too-few-members": "新群聊至少需要另外两名成员。",
  "too-large": "文件超过此类文件的大小上限。",
  "too-many-open-files": "进程打开的文件过多。",
  "too-many-requests": "请求过多，或错误的密钥过多。",
  "transport-error": "与对方服务器通信失败。",
  unauthorized: "请求没有有效的密钥。",
  unavailable: "网关现在无法执行此操作。",
  "unexpected-login-page": "登录时收到的是网页，而不是登录凭据。",
  "unknown-contact": "此登录中没有这个名称或 id 的联系人。",
  "unreadable-state": "已保存的会话状态无法读取。",
  "unsafe-redirect": "服务器把登录转到了未知的主机，未向其发送任何内容。",
  "unsupported-media-type": "不支持此内容类型。",
  "url-not-fetched": "无法从其网址获取文件，未发送任何内容。",
  "wrong-host": "网关不接受这个主机名。",
  "wx-error": "操作失败。",
};

/** Codes that say only that a value is wrong; the field says which. */
const INVALID = ["bad-request", "invalid-request", "invalid-settings"];

/** Sentences for the fields that a user enters, by their paths. */
const FIELDS = {
  account: "没有这个账号。",
  accounts: "请至少选择一个账号。",
  adapter: "没有这个协议。",
  chats: "会话无效。",
  expires_at: "有效期须晚于现在，且早于 9999 年。",
  folder: "请填写根文件夹之下的路径，不含“..”和隐藏名称。",
  from: "开始时间无效。",
  kind: "没有这个类型。",
  kinds: "请至少选择一种。",
  max_bytes: "大小无效。",
  messages_per_minute: "请填写 1 到 60 之间的数。",
  name: "这个名称不可用。",
  options: "选项无效。",
  pattern: "文件名模式无效。",
  scopes: "请至少选择一项权限。",
  secret: "签名密钥无效。",
  see: "会话无效：请填写 filehelper、编号或 *。",
  settings: "设置无效。",
  template: "模板无效。",
  to: "接收者或时间无效。",
  token: "令牌无效。",
  types: "没有这样的事件类型。",
  url: "地址无效。",
  write: "会话无效：请填写 filehelper、编号或 *。",
  zone: "没有这个时区，请填写如 Asia/Shanghai 的名称。",
};

/** Fields whose sentence does not say what is wrong, or what to do; the gateway's sentence does. */
const GENERAL_FIELDS = [
  "chats",
  "from",
  "max_bytes",
  "name",
  "options",
  "pattern",
  "secret",
  "settings",
  "template",
  "to",
  "token",
  "url",
];

/** Codes with one meaning for many causes, of which only the gateway's sentence says which it is. */
const GENERAL = [
  ...INVALID,
  "api-error",
  "channel-failed",
  "conflict",
  "forbidden",
  "gateway-refused",
  "handler-failed",
  "local-state-error",
  "login-refused",
  "not-forwardable",
  "not-on-this-host",
  "storage-error",
  "transport-error",
  "unavailable",
  "wx-error",
];

/** What makes a sentence tell more than its code: a value in quotes, a number, a placeholder. */
const DATA = /['"`{\d]/;

/** Return the sentence of a code in the language of the page; an unknown code is returned unchanged. */
export function codeInWords(code) {
  return (language() !== "en" && CODES[code]) || code;
}

/**
 * Return what an error of the gateway says in the language of the page: {words, detail}. `detail` is the English sentence of
 * the gateway if it has more than `words`, else empty.
 */
export function inWords(problem) {
  const { code, field, explanation } = problem;
  if (language() === "en" || !(code in CODES)) return { words: (field && explanation) || problem.message, detail: "" };
  const [name] = field.split(".");
  const ofField = INVALID.includes(code) ? FIELDS[name] : null;
  const isGeneral = ofField ? GENERAL_FIELDS.includes(name) : GENERAL.includes(code);
  return { words: ofField ?? CODES[code], detail: isGeneral || DATA.test(explanation) ? explanation : "" };
}
