// Words that both pages show, and all words of the shared parts, in English and Chinese. `{name}` is replaced by a value.

import { wording } from "./language.js";

/** Kinds of messages, by their names in both APIs. */
export const KINDS = {
  text: ["Text", "文字"],
  image: ["Picture", "图片"],
  file: ["File", "文件"],
  video: ["Video", "视频"],
  sticker: ["Sticker", "表情"],
  location: ["Location", "位置"],
  live_location: ["Live location", "位置共享"],
  card: ["Contact card", "名片"],
  link: ["Link", "链接"],
  music: ["Music", "音乐"],
  mini_program: ["Mini program", "小程序"],
  history: ["Chat history", "聊天记录"],
  group_note: ["Group note", "接龙"],
  transfer: ["Transfer", "转账"],
  red_packet: ["Red packet", "红包"],
  call: ["Call", "通话"],
};

export const SHARED = {
  ...KINDS,

  // the frame
  unofficial: ["unofficial", "非官方"],
  toDark: ["Dark", "深色"],
  toLight: ["Light", "浅色"],
  language: ["中文", "EN"],

  // what many parts say
  loading: ["Loading…", "加载中…"],
  colon: [": ", "："],
  again: ["Try again", "重试"],
  edit: ["Edit", "修改"],
  back: ["Back", "返回"],
  close: ["Close", "关闭"],
  cancel: ["Cancel", "取消"],
  search: ["Search", "搜索"],
  nothingFound: ["Nothing found", "没有找到"],
  pause: ["Pause", "暂停"],
  clear: ["Clear", "清空"],

  // chats
  chats: ["Chats", "聊天"],
  searchChats: ["Search chats and messages", "搜索聊天和消息"],
  pinned: ["pinned", "已置顶"],
  markRead: ["Mark as read", "标为已读"],
  noChatOpen: ["No conversation open", "尚未打开会话"],
  filehelper: ["File Transfer Helper", "文件传输助手"],

  // a conversation
  you: ["You", "你"],
  messagesWith: ["Messages with {name}", "与{name}的消息"],
  showEarlier: ["Show earlier messages", "查看更早的消息"],
  newMessages: ["New messages", "有新消息"],
  message: ["Message", "消息"],
  writeTo: ["Write to {name}", "给{name}写消息"],
  send: ["Send", "发送"],
  recall: ["Recall", "撤回"],
  youRecalled: ["You recalled a message", "你撤回了一条消息"],
  recalledBy: ["{name} recalled a message", "{name}撤回了一条消息"],
  pictureFrom: ["Picture from {name}", "{name}发的图片"],
  stickerFrom: ["Sticker from {name}", "{name}发的表情"],

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

  // the viewer of pictures
  pictures: ["Pictures", "图片"],
  pictureCount: ["{n} of {all}", "第 {n} 张，共 {all} 张"],
  previousPicture: ["Previous picture", "上一张"],
  nextPicture: ["Next picture", "下一张"],
  fullPicture: ["Full size", "原始大小"],
  fitPicture: ["Fit the window", "适应窗口"],
  savePicture: ["Save", "保存"],
  noPicture: ["The picture cannot be loaded", "图片无法加载"],

  // times
  yesterday: ["Yesterday", "昨天"],
  ms: ["{n} ms", "{n} 毫秒"],
  seconds: ["{n} s", "{n} 秒"],
  minutes: ["{n} min", "{n} 分钟"],
  hours: ["{n} h", "{n} 小时"],
  days: ["{n} d", "{n} 天"],
};

/** Return the text of a key, for the shared parts; a page adds its own words. */
export const t = wording(SHARED);
