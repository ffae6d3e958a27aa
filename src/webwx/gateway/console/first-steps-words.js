// Words of the first steps.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  firstSteps: ["First steps", "开始使用"],
  intro: [
    "From here to a message on your phone in a few minutes. You can leave and come back: each step is ticked when it is done.",
    "几分钟后，你的手机就能收到消息。可以随时离开再回来：完成的步骤会打勾。",
  ],
  progress: ["{n} of {all} done", "已完成 {n}/{all}"],
  stepDone: ["done", "已完成"],
  stepNow: ["now", "当前步骤"],
  stepLater: ["later", "稍后"],
  hide: ["Hide these steps", "不再显示"],
  finish: ["Finish", "完成"],
  allDone: ["All done. The steps leave the navigation when you finish.", "全部完成。点击“完成”后，这些步骤不再显示。"],

  account: ["Add an account", "添加账号"],
  accountHint: [
    "The account is your WeChat login at this gateway. File Transfer Helper web reaches only your chat with your own phone: a safe start.",
    "账号即你在此网关上的微信登录。文件传输助手网页版只涉及你与自己手机的对话，适合入门。",
  ],
  accountName: ["Name", "名称"],
  accountNameHint: ["Only letters and digits; you and your programs see it.", "仅限字母和数字，供你和程序识别。"],
  where: ["Log in to", "登录方式"],
  add: ["Add account", "添加账号"],

  scan: ["Scan the code", "扫码登录"],
  scanHint: [
    "On your phone: open WeChat, tap + and Scan, point it at the code, then confirm.",
    "在手机上打开微信，点“+”选择“扫一扫”，对准二维码，然后确认登录。",
  ],
  showCode: ["Show the code", "显示二维码"],

  message: ["Send yourself a message", "给自己发一条消息"],
  messageHint: ["It appears in File Transfer Helper on your phone.", "它会出现在手机的“文件传输助手”中。"],
  messageText: ["Message", "消息"],
  messageExample: ["Hello from my gateway", "来自网关的问候"],

  curl: ["Send one from a program", "用程序发送"],
  curlHint: [
    "A program needs a key. This one can only write to File Transfer Helper of {name}.",
    "程序需要密钥。此密钥只能向 {name} 的文件传输助手发送消息。",
  ],
  makeKey: ["Make a key", "创建密钥"],
  newKey: ["Make a new key", "重新创建密钥"],
  keyGone: [
    "The key was shown once and is not stored in readable form. A new one replaces it.",
    "密钥只显示一次，网关不保存明文。新密钥会替换它。",
  ],
  keyOnce: ["Copy it now: the key in it is not shown again.", "请立即复制：其中的密钥之后不再显示。"],
  command: ["Run this in a terminal", "在终端中运行"],
  commandText: ["Hello from curl", "来自 curl 的问候"],
  waiting: ["Waiting for the command…", "等待命令运行…"],

  connect: ["Connect a program", "连接程序"],
  connectHint: ["Choose one; the step is done when the first exists.", "任选一种；创建第一个后，此步骤即完成。"],
  toReceivers: ["Get notified", "接收通知"],
  toReceiversHint: ["Grafana, ntfy, GitHub and other tools write to your phone.", "Grafana、ntfy、GitHub 等工具把通知发到手机。"],
  toWebhooks: ["Pass messages on", "转发消息"],
  toWebhooksHint: ["Each message calls an address of yours, such as of n8n.", "每条消息都会请求你的地址，例如 n8n。"],
  toPrograms: ["Connect an agent or a bot program", "连接智能体或机器人程序"],
  toProgramsHint: ["AI agents over MCP, and programs that speak other protocols.", "通过 MCP 的 AI 智能体，以及使用其他协议的程序。"],
  toKeys: ["Write your own", "自己编写"],
  toKeysHint: [
    "A bot begins with 'webwx new my-bot'; any language can use the API with a key.",
    "用 webwx new my-bot 创建机器人；任何语言都可凭密钥使用 API。",
  ],
});
