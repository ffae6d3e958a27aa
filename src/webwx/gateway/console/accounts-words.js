// Words of the screen of the accounts.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  accounts: ["Accounts", "账号"],
  noAccountsHint: ["Add one below, then log in with your phone.", "请在下方添加，再用手机扫码登录。"],
  accountName: ["Name of a new account", "新账号的名称"],
  add: ["Add account", "添加账号"],
  logIn: ["Log in", "登录"],
  logOut: ["Log out", "退出登录"],
  sureLogOut: ["Log out now", "确认退出登录"],
  stop: ["Stop", "停止"],
  queued: ["{n} messages wait to be sent", "{n} 条消息等待发送"],
  code: ["Scan this code with WeChat, then confirm on the phone.", "请用微信扫描此二维码，然后在手机上确认。"],
  codeOf: ["Login code of {name}", "{name}的登录二维码"],
  waiting: ["Waiting for a code…", "正在获取二维码…"],
  pushed: ["Confirm the login on the phone.", "请在手机上确认登录。"],
  scanned: ["Scanned. Confirm on the phone.", "已扫描，请在手机上确认。"],
  expired: ["The code has expired; a new one follows.", "二维码已过期，正在刷新。"],
});
