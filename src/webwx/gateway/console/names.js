// Names and avatars of the contacts of one account.

import { call } from "./api.js";
import { h, icon } from "./dom.js";
import { t } from "./words.js";

export const FILEHELPER = "filehelper";

const letters = new Intl.Segmenter();

export class Names {
  #names = new Map();
  #asked = new Set();

  constructor(account) {
    this.account = account;
  }

  /** Store the names of contacts or members, each {id, name}. */
  learn(named) {
    for (const { id, name } of named) if (name) this.#names.set(id, name);
  }

  /** Return the name of a contact, or the words for an unknown contact. */
  of(id) {
    if (id === FILEHELPER) return t("filehelper");
    return this.#names.get(id) ?? t("unknownContact");
  }

  /** Request each contact without a name once, and the members of chatrooms; some contacts stay unknown. */
  async find(ids) {
    const wanted = ids.filter((id) => id && id !== FILEHELPER && !this.#asked.has(id));
    for (const id of wanted) this.#asked.add(id);
    await Promise.allSettled(
      wanted.map(async (id) => {
        const found = await call("GET", `/accounts/${this.account}/contacts/${encodeURIComponent(id)}`);
        this.learn([found.contact, ...found.members]);
      }),
    );
  }

  /** Find the authors of messages in a chat: the members of a chatroom come with the chatroom. */
  async findIn(chat, ids) {
    const unknown = () => [...new Set(ids)].filter((id) => id && !this.isKnown(id));
    if (!this.isKnown(chat) || unknown().length) await this.find([chat]);
    await this.find(unknown());
  }

  isKnown(id) {
    return id === FILEHELPER || this.#names.has(id);
  }
}

/** Make a coloured letter for a contact; its name is shown beside it. */
export function face(id, name, size = "") {
  if (id === FILEHELPER) return h("span", { class: `avatar ${size} is-builtin`, "aria-hidden": "true" }, icon("file"));
  const { segment: letter } = letters.segment(name.trim() || "?").containing(0);
  const style = { "--hue": hue(name) };
  if (id.startsWith("@@")) return h("span", { class: `avatar ${size}`, "aria-hidden": "true", style }, icon("room"));
  return h("span", { class: `avatar ${size}`, "aria-hidden": "true", style }, letter);
}

function hue(seed) {
  let hash = 7;
  for (const character of seed) hash = (hash * 31 + character.codePointAt(0)) % 100_003;
  return String((hash * 47) % 360);
}
