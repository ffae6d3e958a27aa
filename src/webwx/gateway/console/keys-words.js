// Words of the screen of the keys.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  keys: ["Keys", "密钥"],
  noKeys: ["No keys yet", "还没有密钥"],
  noKeysHint: ["A program needs one for each request.", "程序的每个请求都需要密钥。"],
  keyName: ["Name of a new key", "新密钥的名称"],
  scopes: ["Scopes", "权限"],
  create: ["Create key", "创建密钥"],
  shownOnce: ["Copy the key now; it is not shown again.", "请立即复制密钥，之后不再显示。"],
  recipe: ["Try it in a shell:", "在命令行中试用："],
  sureRemove: ["Delete {name} now", "确认删除 {name}"],
});
