// Every word of the page, in English and Chinese. `{name}` is filled in.

const WORDS = {
  // the page
  sandbox: ["sandbox", "沙箱"],
  unofficial: ["unofficial", "非官方"],
  aboutUnofficial: [
    "A test double on this machine. Not affiliated with or endorsed by Tencent or WeChat.",
    "本机上的测试环境，与腾讯、微信无关，亦未获其认可。",
  ],
  skip: ["Skip to the conversation", "跳到会话"],
  lost: ["The sandbox does not answer. Trying again…", "沙箱没有响应，正在重试…"],
  noAnswerAtAll: ["The sandbox does not answer.", "沙箱没有响应。"],
  oddAnswer: ["The sandbox answered {status}.", "沙箱应答了 {status}。"],
  back: ["Back", "返回"],
  close: ["Close", "关闭"],
  cancel: ["Cancel", "取消"],
  done: ["Done", "完成"],
  search: ["Search", "搜索"],
  nothingFound: ["Nothing found", "没有找到"],
  toDark: ["Dark", "深色"],
  toLight: ["Light", "浅色"],
  language: ["中文", "EN"],
  views: ["Views", "视图"],

  // whose phone
  phoneOf: ["{name}’s phone", "{name}的手机"],
  switchPerson: ["Switch person, now {name}", "切换人物，当前是{name}"],
  people: ["People", "人物"],
  peopleHint: ["Everybody in this world. Choose whose phone you hold.", "这个世界里的所有人。选择要拿谁的手机。"],
  loggedIn: ["logged in", "已登录"],
  isOffline: ["offline", "离线"],

  // chats
  chats: ["Chats", "聊天"],
  unread: ["{n} unread", "{n} 条未读"],
  noChats: ["No chats yet", "还没有聊天"],
  noChatsHint: [
    "Write to somebody from Contacts, or let a client send something.",
    "在通讯录里找个人聊聊，或让客户端发条消息。",
  ],
  openContacts: ["Open contacts", "打开通讯录"],
  loading: ["Loading…", "加载中…"],
  noChatOpen: ["No conversation open", "尚未打开会话"],
  noChatOpenHint: [
    "Choose a chat on the left. Arrow keys move in lists, Enter opens.",
    "在左侧选择一个聊天。方向键移动，回车打开。",
  ],
  pin: ["Pin", "置顶"],
  unpin: ["Unpin", "取消置顶"],
  pinned: ["pinned", "已置顶"],
  searchChats: ["Search chats and messages", "搜索聊天和消息"],
  you: ["You", "你"],

  // a conversation
  messagesWith: ["Messages with {name}", "与{name}的消息"],
  noMessages: ["Nothing has been said here", "这里还没有消息"],
  noMessagesHint: ["Say hello below.", "在下面打个招呼吧。"],
  showEarlier: ["Show earlier messages", "查看更早的消息"],
  message: ["Message", "消息"],
  writeTo: ["Write to {name}", "写给{name}"],
  send: ["Send", "发送"],
  attach: ["Attach", "添加附件"],
  details: ["Details", "详情"],
  actions: ["Message actions", "消息操作"],
  recall: ["Recall", "撤回"],
  copy: ["Copy text", "复制文字"],
  quoteThis: ["Quote", "引用"],
  quoting: ["Quoting {name}: {text}", "引用{name}：{text}"],
  youRecalled: ["You recalled a message", "你撤回了一条消息"],
  recalled: ["{name} recalled a message", "{name}撤回了一条消息"],
  tooLarge: ["That is more than the sandbox takes (1 GB).", "文件超过沙箱的上限（1 GB）。"],
  newMessages: ["New messages", "新消息"],

  // kinds
  text: ["Text", "文字"],
  image: ["Picture", "图片"],
  file: ["File", "文件"],
  voice: ["Voice", "语音"],
  video: ["Video", "视频"],
  sticker: ["Sticker", "表情"],
  storeSticker: ["A sticker of the store: only phones show it", "商店表情，只在手机上显示"],
  location: ["Location", "位置"],
  live_location: ["Live location", "位置共享"],
  card: ["Contact card", "名片"],
  friend_request: ["Friend request", "好友请求"],
  link: ["Link", "链接"],
  music: ["Music", "音乐"],
  mini_program: ["Mini program", "小程序"],
  quote: ["Quote", "引用"],
  history: ["Chat history", "聊天记录"],
  transfer: ["Transfer", "转账"],
  red_packet: ["Red packet", "红包"],
  call: ["Call", "通话"],
  system: ["Notice", "系统消息"],
  raw: ["Message of an unknown kind", "未知类型的消息"],
  download: ["Download", "下载"],
  pictureFrom: ["Picture from {name}", "来自{name}的图片"],
  stickerFrom: ["Sticker from {name}", "来自{name}的表情"],
  notPlayable: ["This browser cannot play it", "浏览器无法播放"],
  accept: ["Accept", "接受"],
  join: ["Join", "加入"],
  joined: ["Joined", "已加入"],
  accepted: ["Accepted", "已接受"],
  seconds: ["{n} s", "{n} 秒"],

  // what a location, a link and a card are asked
  title: ["Title", "标题"],
  description: ["Description", "描述"],
  address: ["Address", "网址"],
  placeName: ["Name of the place", "地点名称"],
  placeLabel: ["Street", "详细地址"],
  latitude: ["Latitude", "纬度"],
  longitude: ["Longitude", "经度"],
  whoseCard: ["Whose card?", "发送谁的名片？"],

  // contacts and chatrooms
  contacts: ["Contacts", "通讯录"],
  newChatroom: ["New chatroom", "发起群聊"],
  chatroom: ["Chatroom", "群聊"],
  chatrooms: ["Chatrooms", "群聊"],
  friends: ["Friends", "好友"],
  fileHelper: ["File Transfer Helper", "文件传输助手"],
  noContacts: ["No contacts", "没有联系人"],
  noContactsHint: ["Add somebody by a friend request.", "发送好友请求来添加。"],
  sayHello: ["Send message", "发消息"],
  remark: ["Remark", "备注"],
  nickname: ["Nickname", "昵称"],
  region: ["Region", "地区"],
  signature: ["Signature", "签名"],
  worldId: ["Id in the sandbox", "沙箱内的 id"],
  addFriend: ["Add friend", "添加好友"],
  greeting: ["Greeting", "打招呼"],
  sendRequest: ["Send request", "发送请求"],
  requestSent: ["Request sent to {name}", "已向{name}发送请求"],
  notFriends: ["Not in your contacts", "不在通讯录中"],
  block: ["Block", "加入黑名单"],
  unblock: ["Unblock", "移出黑名单"],
  blocked: ["blocked", "已拉黑"],
  members: ["{n} members", "{n} 位成员"],
  memberList: ["Members", "成员"],
  owner: ["owner", "群主"],
  invite: ["Invite", "邀请"],
  invitePeople: ["Invite people", "邀请成员"],
  remove: ["Remove", "移出"],
  removePeople: ["Remove people", "移出成员"],
  rename: ["Rename", "改名"],
  renameChatroom: ["Rename the chatroom", "修改群名"],
  chatroomName: ["Name of the chatroom", "群名"],
  optional: ["may stay empty", "可不填"],
  leave: ["Leave", "退出"],
  leaveChatroom: ["Leave {name}?", "退出{name}？"],
  youLeft: ["You are not in this chatroom any more", "你已不在这个群聊中"],
  leaveHint: ["Its messages stay on this phone.", "聊天记录会留在这部手机上。"],
  create: ["Create", "创建"],
  chosen: ["{n} chosen", "已选 {n} 人"],
  twoAtLeast: ["At least two people", "至少两人"],

  // the phone itself
  phone: ["Phone", "手机"],
  scan: ["Scan a login code", "扫描登录二维码"],
  scanHint: ["Logins that are waiting for a phone.", "正在等待手机的登录请求。"],
  noCodes: ["No login is waiting", "没有等待中的登录"],
  noCodesHint: [
    "Start one with “webwx login” or a client of yours, and its code appears here.",
    "运行 “webwx login” 或你的客户端，二维码会显示在这里。",
  ],
  codeFor: ["Login at {host}", "登录 {host}"],
  codeHere: ["Login at this sandbox", "登录本沙箱"],
  codeNumber: ["{place} · no. {n}", "{place} · #{n}"],
  askedAt: ["asked for at {time}", "{time} 发起"],
  qrOf: ["QR code of the login", "登录二维码"],
  scanThis: ["Scan with {name}’s phone", "用{name}的手机扫描"],
  confirm: ["Confirm", "确认登录"],
  refuse: ["Cancel login", "取消登录"],
  expire: ["Let it expire", "让它过期"],
  scannedBy: ["Scanned by {name}", "{name}已扫描"],
  pushedTo: ["{name}’s phone is asked to confirm", "等待{name}的手机确认"],
  confirmedBy: ["Confirmed by {name}; the client takes it up", "{name}已确认，等待客户端"],
  expiresIn: ["expires in {time}", "{time}后过期"],
  webLogin: ["Web login", "网页登录"],
  openSince: ["Open since {time}", "{time} 登录"],
  helperLogin: ["File Transfer Helper’s page", "文件传输助手网页版"],
  noWebLogin: ["{name} is logged in nowhere.", "{name}没有在别处登录。"],
  logOut: ["Log out", "退出网页登录"],
  logOutNow: ["Log {name} out of the web client?", "让{name}退出网页登录？"],
  logOutHint: ["As from the phone: the client learns 1100.", "如同在手机上退出，客户端得到 1100。"],
  otherClient: ["Another client logs in", "另一客户端登录"],
  otherClientHint: ["The open login is replaced: its client learns 1101.", "当前登录被顶替，客户端得到 1101。"],
  connection: ["Connection", "网络"],
  offline: ["Phone offline", "手机离线"],
  offlineHint: [
    "While it is on, what a client sends is refused with Ret 3, and this phone sends nothing.",
    "开启后，客户端发送会得到 Ret 3，这部手机也无法发送。",
  ],
  offlineBanner: ["This phone is offline", "这部手机已离线"],
  goOnline: ["Go online", "恢复在线"],
  loginWaits: ["A login waits for a phone: see Phone", "有登录在等待手机确认，请看“手机”"],
  everything: ["All", "全部"],
  pending: ["{n} waiting", "{n} 个等待中"],

  // the clock
  clock: ["Clock of the world, {time}", "沙箱时钟 {time}"],
  windClock: ["Wind the clock", "拨快时钟"],
  windHint: [
    "Moves this world’s time forward at once: recalls close after two minutes, codes expire after five.",
    "让沙箱的时间立刻前进：撤回限两分钟，二维码五分钟过期。",
  ],
  standsStill: ["It stands still until it is wound.", "它静止不动，直到被拨快。"],
  windBy: ["Forward by {time}", "前进 {time}"],
  secondsForward: ["Seconds", "秒数"],
  wind: ["Wind", "拨快"],
  wound: ["The clock is {time} further on", "时钟已前进 {time}"],
  minutes: ["{n} min", "{n} 分钟"],
  hours: ["{n} h", "{n} 小时"],
  days: ["{n} d", "{n} 天"],
  yesterday: ["Yesterday", "昨天"],
};

let index = 0;
const listeners = [];

/** The words for a key. */
export function t(key, values = {}) {
  const found = WORDS[key];
  if (!found) return key;
  return found[index].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Add words, as a panel does for its own. */
export function addWords(more) {
  Object.assign(WORDS, more);
}

export function language() {
  return index ? "zh" : "en";
}

export function setLanguage(wanted) {
  index = wanted === "zh" ? 1 : 0;
  document.documentElement.lang = index ? "zh-CN" : "en";
  localStorage.setItem("webwx.language", language());
  for (const listener of listeners) listener();
}

/** Call back when the language changes. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** As was chosen here before, else as the browser wants. */
export function firstLanguage() {
  return localStorage.getItem("webwx.language") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
}

// -- times and sizes -------------------------------------------------------------------------------------------------

function format(seconds, options) {
  return new Intl.DateTimeFormat(document.documentElement.lang, options).format(new Date(seconds * 1000));
}

export function timeOfDay(seconds, withSeconds = false) {
  return format(seconds, {
    hour: "2-digit",
    minute: "2-digit",
    second: withSeconds ? "2-digit" : undefined,
    hour12: false,
  });
}

/** A time as lists show it: today the hour, then the day. */
export function shortTime(seconds, now) {
  const days = daysBetween(seconds, now);
  if (days === 0) return timeOfDay(seconds);
  if (days === 1) return t("yesterday");
  return format(
    seconds,
    new Date(seconds * 1000).getFullYear() === new Date(now * 1000).getFullYear()
      ? { month: "short", day: "numeric" }
      : { dateStyle: "short" },
  );
}

/** A time as it stands between messages. */
export function longTime(seconds, now) {
  const days = daysBetween(seconds, now);
  if (days === 0) return timeOfDay(seconds);
  if (days === 1) return `${t("yesterday")} ${timeOfDay(seconds)}`;
  return `${format(seconds, { dateStyle: "medium" })} ${timeOfDay(seconds)}`;
}

function daysBetween(seconds, now) {
  const midnight = new Date(now * 1000).setHours(0, 0, 0, 0);
  return Math.max(0, Math.ceil((midnight - seconds * 1000) / 86_400_000));
}

export function duration(seconds) {
  if (seconds < 180) return t("seconds", { n: Math.round(seconds) });
  if (seconds < 3600) return t("minutes", { n: Math.round(seconds / 60) });
  if (seconds < 172_800) return t("hours", { n: Math.round(seconds / 3600) });
  return t("days", { n: Math.round(seconds / 86_400) });
}

export function countdown(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

export function bytes(size) {
  if (size < 1024) return `${size} B`;
  if (size < 1024 * 1024) return `${(size / 1024).toFixed(1)} KB`;
  return `${(size / 1024 / 1024).toFixed(1)} MB`;
}
