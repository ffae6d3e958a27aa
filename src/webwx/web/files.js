// Files for a chat: the area where they are dropped, the clipboard, and the row of those that will be sent.

import { button, fill, h, icon, iconButton, set } from "./dom.js";
import { bytes } from "./formats.js";
import { KeyedList } from "./keyed-list.js";
import { thumbnail } from "./thumbnails.js";
import { t } from "./shared-words.js";

// -- dropping and pasting --------------------------------------------------------------------------------------------

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

/** Return the files of a drop or of the clipboard; a folder becomes {name, isFolder}. */
function filesIn(transfer) {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.());
  return [...transfer.files].map((file, index) =>
    entries[index]?.isDirectory ? { name: file.name, isFolder: true } : file,
  );
}

/** Refuse files that are dropped on the page from now on, where nothing accepts them: a browser would leave the page. */
export function refuseFiles() {
  const refuse = (event) => {
    if (!hasFiles(event) || event.target.closest?.("input[type=file]")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none"; // what accepts files listens later, and says so
  };
  for (const name of ["dragenter", "dragover", "drop"]) window.addEventListener(name, refuse);
}

/**
 * Accept files that are dropped on an element, or pasted while it is in view. While files are dragged over the page, the
 * element shows `words()`. `take(files)` gets them, if `isReady()`. Returns a function that ends this.
 */
export function acceptFiles(target, { words, take, isReady }) {
  const veil = h("div", { class: "drop-veil", "aria-hidden": "true", hidden: true });
  target.append(veil);
  const isInView = () => target.isConnected && target.checkVisibility() && !document.querySelector("dialog[open]");
  const ends = new AbortController();
  const listen = (name, listener) => window.addEventListener(name, listener, { signal: ends.signal });

  function over(event) {
    if (!hasFiles(event)) return;
    event.preventDefault(); // else a browser leaves the page, and opens a file that misses the element
    const isHere = isInView() && isReady();
    if (isHere && veil.hidden) fill(veil, icon("file"), words());
    veil.hidden = !isHere;
    const isOver = isHere && target.contains(event.target);
    veil.classList.toggle("is-over", isOver);
    event.dataTransfer.dropEffect = isOver ? "copy" : "none";
  }

  function drop(event) {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    if (isInView() && isReady() && target.contains(event.target)) take(filesIn(event.dataTransfer));
  }

  function paste(event) {
    const carried = event.clipboardData;
    const isElsewhere = event.target.closest?.("input, textarea, [contenteditable]") && !target.contains(event.target);
    if (!carried?.files.length || isElsewhere || !isInView() || !isReady()) return;
    // An office program adds a picture of a text that it copies: the text is meant.
    if (carried.types.includes("text/plain") && carried.types.includes("text/html")) return;
    event.preventDefault();
    take(filesIn(carried));
  }

  listen("dragenter", over);
  listen("dragover", over);
  listen("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true; // out of the window
  });
  listen("drop", drop);
  listen("paste", paste);
  return () => ends.abort();
}

// -- the files that will be sent -------------------------------------------------------------------------------------

/** Number of characters of a text that are in the name of its button. */
const LONGEST_NAME = 80;

const LOOKS = { image: "picture", video: "video", audio: "voice" };

/**
 * The files to send, by the place where they were added, such as a chat, and texts on their way there. A file is {place,
 * file, verb, state, reason, part, cancel, again}; its state is `ready`, `waiting`, `uploading` or `refused`, with a reason.
 * A text is {place, text, state, reason, again, edit}; `drop(item)` is called before the user removes one. `largest(type)` returns the
 * largest number of bytes of a file of a media type. `changed()` is called after each change, and `leave()` when the last
 * file was removed by a button, which had the focus.
 */
export class FileTray {
  #items = [];
  #nodes; // by the file
  #place = "";

  changed = () => {};
  drop = () => {};
  leave = () => {};

  constructor(largest) {
    this.largest = largest;
    this.list = h("ul", { class: "tray", hidden: true });
    this.#nodes = new KeyedList(this.list);
    this.status = h("p", { class: "hidden", role: "status" });
    this.element = h("div", { class: "tray-box" }, this.list, this.status);
  }

  /** Show the files of a place. */
  show(place) {
    if (place !== this.#place) fill(this.status);
    this.#place = place;
    this.#draw();
  }

  has(item) {
    return this.#items.includes(item);
  }

  /** Add files to the place that is shown, with the verbs to send them; one that cannot be sent gets the reason. */
  add(files, verbOf = () => "") {
    const added = files.map((file) => {
      const reason = this.#refusal(file);
      return { place: this.#place, file, verb: verbOf(file), state: reason ? "refused" : "ready", reason, part: 0 };
    });
    this.#items.push(...added);
    fill(this.status, t("filesAdded", { names: added.map(({ file }) => file.name).join(", ") }));
    this.#draw();
  }

  /** Show a text, in its state. */
  put(item) {
    if (this.has(item)) return;
    this.#items.push(item);
    this.#draw();
  }

  /** The files that can be sent from the place that is shown, in their order. */
  ready() {
    return this.#here().filter(({ state }) => state === "ready");
  }

  remove(item) {
    this.#items = this.#items.filter((each) => each !== item);
    this.#draw();
  }

  /** Change the state of a file. */
  update(item, changes) {
    const isSame = Object.keys(changes).every((name) => name === "part");
    Object.assign(item, changes);
    if (isSame) this.#showPart(item);
    else this.#draw();
  }

  #here() {
    return this.#items.filter(({ place }) => place === this.#place);
  }

  #refusal(file) {
    if (file.isFolder) return t("isFolder");
    if (file.size === 0) return t("emptyFile");
    const most = this.largest(file.type);
    return file.size > most ? t("tooLarge", { size: bytes(most) }) : "";
  }

  #draw() {
    const here = this.#here();
    const language = document.documentElement.lang;
    const rows = here.map((item) => {
      const { state, reason } = item;
      return this.#nodes.node(item, JSON.stringify([state, reason, language]), () => this.#row(item));
    });
    const near = this.#nodes.show(rows);
    set(this.list, "aria-label", t("filesToSend"));
    this.list.hidden = !here.length;
    this.changed();
    if (!near) return;
    const next = near[0] ?? rows.at(-1);
    if (next) next.querySelector(".tray-buttons button:last-child").focus();
    else this.leave();
  }

  #row(item) {
    const { file, text = "", state, reason } = item;
    const name = file ? file.name : text;
    const isBusy = state === "uploading";
    const words = { refused: reason, waiting: t("fileWaits"), uploading: "" }[state] ?? "";
    return h(
      "li",
      { class: state === "refused" ? "tray-file is-refused" : "tray-file" },
      file ? thumbnail(file, icon(LOOKS[file.type?.split("/")[0]] ?? "file")) : h("span", { class: "thumbnail" }, icon("chats")),
      h(
        "div",
        { class: "tray-text" },
        h("span", { class: "tray-name", title: name, dir: "auto" }, name),
        isBusy
          ? [
              h("progress", { max: "1", value: String(item.part), "aria-label": t("uploading", { name: file.name }) }),
              h("span", { class: "faint uploaded" }, uploaded(item)),
            ]
          : file && h("span", { class: "faint" }, file.isFolder ? "" : bytes(file.size)),
        words && h("span", { class: "tray-reason", role: state === "refused" ? "alert" : null }, words),
      ),
      h(
        "div",
        { class: "tray-buttons" },
        state === "refused" && item.again && button(t("again"), () => item.again(), { kind: "is-small" }),
        item.edit && button(t("edit"), () => item.edit(), { kind: "is-small" }),
        isBusy
          ? iconButton("close", t("cancelFile", { name }), () => item.cancel())
          : iconButton("close", t("removeFile", { name: name.slice(0, LONGEST_NAME) }), () => this.#dropByUser(item)),
      ),
    );
  }

  #dropByUser(item) {
    this.drop(item);
    this.remove(item);
  }

  #showPart(item) {
    const bar = this.#nodes.get(item)?.querySelector("progress");
    if (!bar) return;
    bar.value = item.part;
    fill(bar.nextSibling, uploaded(item));
  }
}

function uploaded({ file, part }) {
  return t("uploaded", { part: bytes(part * file.size), size: bytes(file.size) });
}
