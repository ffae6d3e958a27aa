// Words of the frame, and those that several screens use, in English and Chinese. A screen has its own words in
// `<screen>-words.js`.

import { wording } from "./language.js";

const WORDS = {
  // the frame
  gateway: ["gateway", "网关"],
  unofficial: ["unofficial", "非官方"],
  aboutUnofficial: [
    "Not affiliated with or endorsed by Tencent or WeChat.",
    "与腾讯、微信无关，亦未获其认可。",
  ],
  language: ["中文", "EN"],
  toDark: ["Dark", "深色"],
  toLight: ["Light", "浅色"],
  screens: ["Screens", "页面"],
  messages: ["Messages", "消息"],
  programs: ["Programs", "程序"],
  system: ["System", "系统"],
  attention_chats: ["Unread messages: {n}", "未读消息：{n}"],
  attention_accounts: ["Accounts that are not online: {n}", "不在线的账号：{n}"],
  attention_outbox: ["Messages that may not have arrived: {n}", "不确定是否送达的消息：{n}"],
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
  filehelper: ["File Transfer Helper", "文件传输助手"],
  unknownContact: ["Unknown contact", "未知联系人"],
  noAccounts: ["No accounts yet", "还没有账号"],
  noAccountsHint: ["Add one on the screen Accounts, and log in with your phone.", "请在“账号”页添加账号，再用手机扫码登录。"],
  noLogin: ["This account was never logged in", "此账号从未登录"],
  noLoginHint: ["Log in on the screen Accounts.", "请在“账号”页登录。"],
  openAccounts: ["Open accounts", "打开账号页"],
  loading: ["Loading…", "加载中…"],
  loadFailed: ["This could not be loaded", "加载失败"],
  tryAgain: ["Try again", "重试"],
  close: ["Close", "关闭"],
  cancel: ["Cancel", "取消"],
  back: ["Back", "返回"],
  remove: ["Delete", "删除"],
  copy: ["Copy", "复制"],
  copied: ["Copied", "已复制"],
  search: ["Search", "搜索"],
  nothingFound: ["Nothing found", "没有找到"],
  more: ["Show more", "显示更多"],
  moreFields: ["More options", "更多选项"],
  required: ["Please fill this in.", "请填写此项。"],
  finished: ["Done", "完成"],
  yesterday: ["Yesterday", "昨天"],
  seconds: ["{n} s", "{n} 秒"],
  minutes: ["{n} min", "{n} 分钟"],
  hours: ["{n} h", "{n} 小时"],
  days: ["{n} d", "{n} 天"],

  // files to send
  dropHere: ["Drop files here to send them to {name}", "拖到这里即可发送给{name}"],
  filesToSend: ["Files to send", "待发送的文件"],
  filesAdded: ["Added: {names}", "已添加：{names}"],
  removeFile: ["Remove {name}", "移除 {name}"],
  cancelFile: ["Cancel {name}", "取消 {name}"],
  tooLarge: ["It is too large: at most {size} can be sent.", "文件太大：最大 {size}。"],
  emptyFile: ["It is empty.", "这是空文件。"],
  isFolder: ["It is a folder: send its files, or an archive.", "这是文件夹：请发送其中的文件或压缩包。"],
  fileWaits: ["Waiting", "等待中"],
  uploading: ["Uploading {name}", "正在上传 {name}"],
  uploaded: ["{part} of {size}", "{size} 的 {part}"],
  again: ["Try again", "重试"],

  // the viewer of pictures
  pictures: ["Pictures", "图片"],
  pictureCount: ["{n} of {all}", "第 {n} 张，共 {all} 张"],
  previousPicture: ["Previous picture", "上一张"],
  nextPicture: ["Next picture", "下一张"],
  fullPicture: ["Full size", "原始大小"],
  fitPicture: ["Fit the window", "适应窗口"],
  savePicture: ["Save", "保存"],
  noPicture: ["The picture cannot be loaded", "图片无法加载"],

  // states of an account
  new: ["not logged in", "未登录"],
  logging_in: ["logging in", "正在登录"],
  online: ["online", "在线"],
  degraded: ["connection lost, retrying", "连接中断，正在重试"],
  logged_out: ["logged out", "已退出登录"],
};

export const t = wording(WORDS);

/** Return the function that finds the words of a screen, and else those of all screens. */
export function wordsOf(own) {
  return wording(own, WORDS);
}
