// Words of the readers of events.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  kind_webhooks: ["Webhook", "Webhook"],
  kind_programs: ["Connected program", "已连接的程序"],
  kind_files: ["Rule for incoming files", "接收文件的规则"],
  own_gateway: ["The gateway itself", "网关自身"],
  own_keep: ["Archive of media", "媒体归档"],
  own_listen: ["The command webwx listen", "命令 webwx listen"],
  own_receive: ["The command webwx receive", "命令 webwx receive"],
});
