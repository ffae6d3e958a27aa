/**
 * Drives wechaty-puppet-wechat4u, in a process of its own, by the words of a test.
 *
 * The puppet is used as wechaty uses it, by its public methods and events; nothing of it is patched, and it goes to
 * https://wx.qq.com as it always does. Commands and answers are those of the other drivers.
 */

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";

// Whatever the puppet logs would stand between the answers.
console.log = console.info = console.error;

const [, , modules] = process.argv;
const require = createRequire(path.join(modules, "index.js"));
const load = async (name) => {
  const folder = path.join(modules, "node_modules", name);
  const { exports } = require(path.join(folder, "package.json"));
  return import(pathToFileURL(path.join(folder, exports["."].import)));
};
const { PuppetWechat4u } = await load("wechaty-puppet-wechat4u");
const { FileBox } = await load("file-box");
const { types } = await load("wechaty-puppet");

const puppet = new PuppetWechat4u();
const waiting = [];
const takers = [];
const put = (item) => (takers.length ? takers.shift()(item) : waiting.push(item));
const take = () => new Promise((resolve) => (waiting.length ? resolve(waiting.shift()) : takers.push(resolve)));
const once = (event) => new Promise((resolve) => puppet.once(event, resolve));
const answer = (fields) => process.stdout.write(JSON.stringify(fields) + "\n");

puppet.on("error", (error) => console.error(error));
puppet.on("message", ({ messageId }) => put(messageId));

const commands = {
  async login() {
    const scan = once("scan");
    const login = once("login");
    await puppet.start();
    answer({ uuid: (await scan).qrcode.split("/").pop() });
    const { contactId } = await login;
    return { id: contactId, nickname: (await puppet.contactPayload(contactId)).name };
  },

  async contacts() {
    // The puppet calls itself ready when its contacts have not changed for twenty seconds; the first page is enough here.
    // Members of a chatroom that is not saved have no name before it.
    let friends = [];
    while (friends.length < 5) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const known = await Promise.all((await puppet.contactList()).map((id) => puppet.contactPayload(id)));
      friends = known.filter((each) => each.name);
    }
    const chatrooms = await Promise.all((await puppet.roomList()).map((id) => puppet.roomPayload(id)));
    return {
      friends: friends.map((each) => [each.name, each.alias || "", each.id]),
      chatrooms: chatrooms.map((each) => [each.topic, each.id, each.memberIdList]),
    };
  },

  async send_text({ to, text }) {
    await puppet.messageSendText(to, text);
    return {};
  },

  async send_file({ to, path: file }) {
    await puppet.messageSendFile(to, FileBox.fromFile(file));
    return {};
  },

  async forward({ to, message_id: id }) {
    await puppet.messageForward(to, id);
    return {};
  },

  async receive() {
    const id = await take();
    const message = await puppet.messagePayload(id);
    // A picture by `messageImage` cannot be read: it makes a stream of what is none.
    const isFile = [types.Message.Image, types.Message.Attachment].includes(message.type);
    const content = isFile && (await (await puppet.messageFile(id)).toBuffer());
    return {
      id,
      type: types.Message[message.type],
      from: message.talkerId,
      text: content ? "" : message.text,
      md5: content && createHash("md5").update(content).digest("hex"),
    };
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
