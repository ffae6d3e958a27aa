// Words of the screen of the live events.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  events: ["Live events", "实时事件"],
  hint: [
    "All events that the gateway stores while this page is open, the newest first; at most {n} are shown. Programs read the same events by /api/v1/events.",
    "此页面打开期间网关存储的所有事件，最新的在前，最多保留 {n} 条。程序可通过 /api/v1/events 读取相同的事件。",
  ],
  type: ["Type", "类型"],
  typeHint: ["Friend request, or message.*", "好友请求，或 message.*"],
  chat: ["Chat or author", "聊天或作者"],
  chatHint: ["A part of a name or an id", "名称或 id 的一部分"],
  goOn: ["Go on", "继续"],
  count: ["{n} shown", "显示 {n} 条"],
  paused: ["Paused; {n} new", "已暂停，{n} 条新事件"],
  none: ["No events yet", "还没有事件"],
  noneHint: ["Send a message to one of the accounts: it appears here at once.", "给任一账号发一条消息，会立即显示在这里。"],
  noneFits: ["No event fits the filter", "没有符合筛选条件的事件"],
  lostNow: [
    "The connection to the gateway is lost. The page connects again by itself and continues after the last event.",
    "与网关的连接已中断。页面会自动重连，并从最后一个事件之后继续。",
  ],
  reset: [
    "The gateway deleted events before this page read them; there is a gap here.",
    "网关在此页面读取之前删除了一些事件，此处有缺口。",
  ],
  resetType: ["gap", "缺口"],
  oneEvent: ["Event {type}", "事件 {type}"],
});
