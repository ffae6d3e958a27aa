// Words of the frame, and those that several screens use, in English and Chinese. A screen has its own words in
// `<screen>-words.js`.

import { wording } from "./language.js";
import { SHARED } from "./shared-words.js";

const WORDS = {
  // the frame
  gateway: ["gateway", "网关"],
  aboutUnofficial: [
    "Not affiliated with or endorsed by Tencent or WeChat.",
    "与腾讯、微信无关，亦未获其认可。",
  ],
  screens: ["Screens", "页面"],
  messages: ["Messages", "消息"],
  programs: ["Programs", "程序"],
  system: ["System", "系统"],
  attention_chats: ["Unread messages: {n}", "未读消息：{n}"],
  attention_accounts: ["Accounts that are not online: {n}", "不在线的账号：{n}"],
  attention_outbox: ["Messages that may not have arrived: {n}", "不确定是否送达的消息：{n}"],
  attention_programs: ["Sends that wait for you: {n}", "等待你确认的消息：{n}"],
  attention_webhooks: ["Webhooks that fail: {n}", "投递失败的 Webhook：{n}"],
  skip: ["Skip to the screen", "跳到页面内容"],
  signedOut: ["This browser has no session", "此浏览器尚未登录控制台"],
  signedOutHint: [
    "Run 'webwx serve pair' on the machine of the gateway, and open the link that it prints.",
    "请在网关所在的机器上运行 webwx serve pair，然后打开它输出的链接。",
  ],
  leave: ["End session", "退出控制台"],
  lost: ["The gateway does not answer.", "网关没有响应。"],
  liveConnecting: ["Connecting…", "正在连接…"],
  liveOpen: ["Live", "实时"],
  liveLost: ["Connection lost, reconnecting…", "连接中断，正在重连…"],

  // what several screens say
  account: ["Account", "账号"],
  allAccounts: ["All accounts", "所有账号"],
  unknownContact: ["Unknown contact", "未知联系人"],
  noAccounts: ["No accounts yet", "还没有账号"],
  noAccountsHint: ["Add one on the screen Accounts, and log in with your phone.", "请在“账号”页添加账号，再用手机扫码登录。"],
  noLogin: ["This account was never logged in", "此账号从未登录"],
  noLoginHint: ["Log in on the screen Accounts.", "请在“账号”页登录。"],
  openAccounts: ["Open accounts", "打开账号页"],
  triesAgain: ["It is tried again.", "正在重试。"],
  loadFailed: ["This could not be loaded", "加载失败"],
  remove: ["Delete", "删除"],
  copy: ["Copy", "复制"],
  copied: ["Copied", "已复制"],
  more: ["Show more", "显示更多"],
  actions: ["Actions", "操作"],
  moreFields: ["More options", "更多选项"],
  required: ["Please fill this in.", "请填写此项。"],
  tickOne: ["Tick at least one.", "请至少勾选一项。"],
  finished: ["Done", "完成"],

  // states of an account
  new: ["not logged in", "未登录"],
  logging_in: ["logging in", "正在登录"],
  online: ["online", "在线"],
  degraded: ["connection lost, retrying", "连接中断，正在重试"],
  logged_out: ["logged out", "已退出登录"],
};

export const t = wording(WORDS, SHARED);

/** Return the function that finds the words of a screen, and else those of all screens. */
export function wordsOf(own) {
  return wording(own, WORDS, SHARED);
}
