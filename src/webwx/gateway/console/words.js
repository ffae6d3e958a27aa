// Every word of the console, in English and Chinese. `{name}` is filled in.

const WORDS = {
  title: ["webwx gateway", "webwx 网关"],
  unofficial: ["unofficial", "非官方"],
  language: ["中文", "EN"],
  screens: ["Screens", "页面"],
  signedOut: ["This browser has no session", "此浏览器尚未登录控制台"],
  signedOutHint: [
    "Run 'webwx serve pair' on the machine of the gateway, and open the link that it prints.",
    "请在网关所在的机器上运行 webwx serve pair，然后打开它输出的链接。",
  ],
  leave: ["End session", "退出控制台"],
  lost: ["The gateway does not answer.", "网关没有响应。"],

  accounts: ["Accounts", "账号"],
  noAccounts: ["No accounts yet. Add one below, then log in with your phone.", "还没有账号。请在下方添加，再用手机扫码登录。"],
  accountName: ["Name of a new account", "新账号的名称"],
  add: ["Add account", "添加账号"],
  logIn: ["Log in", "登录"],
  logOut: ["Log out", "退出登录"],
  sureLogOut: ["Log out now", "确认退出登录"],
  stop: ["Stop", "停止"],
  new: ["not logged in", "未登录"],
  logging_in: ["logging in", "正在登录"],
  online: ["online", "在线"],
  degraded: ["connection lost, retrying", "连接中断，正在重试"],
  logged_out: ["logged out", "已退出登录"],
  queued: ["{n} messages wait to be sent", "{n} 条消息等待发送"],
  code: ["Scan this code with WeChat, then confirm on the phone.", "请用微信扫描此二维码，然后在手机上确认。"],
  codeOf: ["Login code of {name}", "{name}的登录二维码"],
  waiting: ["Waiting for a code…", "正在获取二维码…"],
  pushed: ["Confirm the login on the phone.", "请在手机上确认登录。"],
  scanned: ["Scanned. Confirm on the phone.", "已扫描，请在手机上确认。"],
  expired: ["The code has expired; a new one follows.", "二维码已过期，正在刷新。"],

  chats: ["Chats", "聊天"],
  account: ["Account", "账号"],
  noOnline: ["No account is logged in. Log in on the screen Accounts.", "没有已登录的账号，请先在“账号”页登录。"],
  chooseChat: ["Choose a chat", "请选择一个聊天"],
  filehelper: ["File Transfer Helper", "文件传输助手"],
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

  keys: ["Keys", "密钥"],
  noKeys: ["No keys yet. A program needs one for each request.", "还没有密钥。程序的每个请求都需要密钥。"],
  keyName: ["Name of a new key", "新密钥的名称"],
  scopes: ["What it allows", "权限"],
  create: ["Create key", "创建密钥"],
  shownOnce: ["Copy the key now; it is not shown again.", "请立即复制密钥，之后不再显示。"],
  recipe: ["Try it in a shell:", "在命令行中试用："],
  remove: ["Delete", "删除"],
  sureRemove: ["Delete {name} now", "确认删除 {name}"],
};

const KEY = "webwx.language";

export function isChinese() {
  return (localStorage.getItem(KEY) ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en")) === "zh";
}

export function switchLanguage() {
  localStorage.setItem(KEY, isChinese() ? "en" : "zh");
}

/** Return a text in the language of the page. */
export function say(name, values = {}) {
  const text = WORDS[name][isChinese() ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
}
