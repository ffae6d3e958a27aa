// Words of the fields that select events.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  chatsHint: [
    "Names or ids with commas between them, such as filehelper for File Transfer Helper; empty: all.",
    "名称或编号，用逗号分隔，例如 filehelper 表示“文件传输助手”；留空表示全部。",
  ],
  typesHint: [
    "Write a part of a name and choose; without any, all events are sent. Identifiers and patterns such as message.* are possible too.",
    "输入名称的一部分后选择；不选表示全部。也可填写标识符或模式，例如 message.*。",
  ],
  chosenTypes: ["Chosen", "已选"],
  removeType: ["Remove {type}", "移除“{type}”"],
  author: ["Written by", "发送者"],
  anyone: ["anyone", "任何人"],
  others: ["others", "其他人"],
  me: ["me", "我自己"],
  accounts: ["Accounts", "账号"],
});
