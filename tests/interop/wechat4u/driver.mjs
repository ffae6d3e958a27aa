/**
 * Drives wechat4u, in a process of its own, by the words of a test.
 *
 * The library is used as anybody would use it, by its public methods and events; nothing of it is patched, and it goes to
 * https://wx.qq.com as it always does. That this leads into a sandbox is said by the environment alone: HTTPS_PROXY and
 * NODE_EXTRA_CA_CERTS.
 *
 * A command is a line of JSON on stdin, an answer a line on stdout, one for one; `login` answers twice, with the code to
 * scan and, when somebody has confirmed it and the contacts are there, with who logged in. Messages wait in a queue until
 * `receive` takes them.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

// The library tells its uncaught errors to console.log, and stdout is for answers.
console.log = console.error;

const [, , modules] = process.argv;
const Wechat = createRequire(path.join(modules, "index.js"))("wechat4u");

const bot = new Wechat();
const received = new Map();
const waiting = [];
const takers = [];

const answer = (fields) => process.stdout.write(JSON.stringify(fields) + "\n");

const put = (item) => (takers.length ? takers.shift()(item) : waiting.push(item));
const take = () => new Promise((resolve) => (waiting.length ? resolve(waiting.shift()) : takers.push(resolve)));
const once = (event) => new Promise((resolve) => bot.once(event, resolve));

bot.on("error", (error) => console.error(error.tips || error.message, error.stack));
bot.on("logout", () => put({ type: "logout" }));
bot.on("message", (message) => {
  received.set(message.MsgId, message);
  // The phone's greeting to a new client is no message to anybody.
  if (message.MsgType !== bot.CONF.MSGTYPE_STATUSNOTIFY) {
    put(message);
  }
});

const md5 = (content) => createHash("md5").update(content).digest("hex");

const commands = {
  async login() {
    const code = once("uuid");
    bot.start();
    answer({ uuid: await code });
    await once("login");
    // What webwxinit knows comes first, then the address book, which alone has the account itself.
    while (!bot.contacts[bot.user.UserName]) {
      await once("contacts-updated");
    }
    return { nickname: bot.user.NickName, id: bot.user.UserName, uin: bot.user.Uin, host: bot.CONF.baseUri };
  },

  async contacts() {
    return {
      contacts: Object.values(bot.contacts).map((contact) => ({
        id: contact.UserName,
        nickname: contact.NickName,
        remark: contact.RemarkName || "",
        members: (contact.MemberList || []).map((member) => member.UserName),
      })),
    };
  },

  async send_text({ to, text }) {
    return bot.sendMsg(text, to);
  },

  async send_file({ to, file }) {
    return bot.sendMsg({ file: createReadStream(file) }, to);
  },

  async recall({ to, message_id: id }) {
    return bot.revokeMsg(id, to);
  },

  async forward({ to, message_id: id }) {
    return bot.forwardMsg(received.get(id), to);
  },

  async receive() {
    const message = await take();
    if (message.type === "logout") {
      return message;
    }
    const isPicture = message.MsgType === bot.CONF.MSGTYPE_IMAGE;
    return {
      type: message.MsgType,
      id: message.MsgId,
      from: message.FromUserName,
      to: message.ToUserName,
      text: message.Content,
      file: message.FileName,
      md5: isPicture ? md5((await bot.getMsgImg(message.MsgId)).data) : "",
    };
  },

  async logout() {
    bot.stop();
    return { type: (await take()).type };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { do: name, ...parameters } = JSON.parse(line);
  try {
    answer(await commands[name](parameters));
  } catch (error) {
    answer({ error: error.tips || error.message });
  }
}
