// Words of the screen of the keys.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  keys: ["Keys", "密钥"],
  noKeys: ["No keys yet", "还没有密钥"],
  noKeysHint: ["A program needs one for each request.", "程序的每个请求都需要密钥。"],
  keyName: ["Name of a new key", "新密钥的名称"],
  scopes: ["Scopes", "权限"],
  toFilehelper: ["send to File Transfer Helper only", "只能发送到文件传输助手"],
  toAnyone: ["send to anyone", "发送给任何人"],
  reads: ["read contacts, messages, media, sends and events", "读取联系人、消息、媒体、发送记录和事件"],
  readsMedia: ["read media and pictures of contacts only", "只能读取媒体和联系人头像"],
  readsEvents: ["read the stream of events only", "只能读取事件流"],
  manages: ["recall, mark as read, change contacts and chatrooms", "撤回、标为已读、管理联系人和群聊"],
  logsIn: ["log accounts in and out", "登录和退出账号"],
  callsBots: ["call the HTTP handlers of bots", "调用机器人的 HTTP 接口"],
  setsReceivers: ["set up receivers", "设置接收器"],
  setsWebhooks: ["set up webhooks", "设置 Webhook"],
  everything: ["everything, keys and the audit log included", "全部权限，包括密钥和审计日志"],
  onlyAccounts: ["Only these accounts", "仅限以下账号"],
  onlyAccountsHint: [
    "With none of them, the key reaches all accounts, later ones too.",
    "不选择时，密钥可用于所有账号，包括以后添加的账号。",
  ],
  expiry: ["Last day", "最后有效日期"],
  expiryHint: ["Without a day, the key works until it is deleted.", "不填写时，密钥在删除之前一直有效。"],
  reaches: ["Accounts: {names}", "账号：{names}"],
  expires: ["Valid until {date}", "有效期至 {date}"],
  create: ["Create key", "创建密钥"],
  shownOnce: ["Copy the key now; it is not shown again.", "请立即复制密钥，之后不再显示。"],
  recipe: ["Try it in a shell:", "在命令行中试用："],
  sureRemove: ["Delete {name} now", "确认删除 {name}"],
});
