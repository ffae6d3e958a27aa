// Names and avatars of the contacts of one account.

import { call, Problem } from "./api.js";
import { helperAvatar, letterAvatar, roomAvatar } from "./avatars.js";
import { fewAtATime } from "./few.js";
import { t } from "./words.js";

export const FILEHELPER = "filehelper";

export class Names {
  #names = new Map();
  #asked = new Set();
  #isLeft = false;

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
    await fewAtATime(wanted, (id) => this.#look(id), () => !this.#isLeft);
  }

  async #look(id) {
    try {
      const found = await call("GET", `/accounts/${this.account}/contacts/${encodeURIComponent(id)}`);
      this.learn([found.contact, ...found.members]);
    } catch (error) {
      if (!(error instanceof Problem || error instanceof TypeError)) throw error;
    } // it stays unknown
  }

  /** Request nothing more: the screen was left. */
  leave() {
    this.#isLeft = true;
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

/** Return the picture of a contact; its name is shown beside it. */
export function face(id, name, size = "") {
  if (id === FILEHELPER) return helperAvatar(size);
  return id.startsWith("@@") ? roomAvatar(name, size) : letterAvatar(name, { size });
}
