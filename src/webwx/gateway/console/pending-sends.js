// Sends of this page that the outbox does not show yet: uploads in progress, requests without an answer, and
// refused sends. They do not belong to a screen, so an upload continues while another screen is open.

import { call, Problem, upload } from "./api.js";
import { sentence } from "./states.js";
import { newKey } from "./transfer.js";

/** Number of sent pictures that are shown small until the page is left. */
const PICTURES = 50;

/** Milliseconds by which the clocks of the browser and the gateway may differ. */
const CLOCKS_DIFFER = 5000;

/** Whether a send of the outbox may be a pending one: the outbox does not show the key, by which it could be recognised. */
export function mayBe(send, pending) {
  return (
    send.chat === pending.chat &&
    send.text === pending.text &&
    (send.kind === "text") === (pending.kind === "text") &&
    new Date(send.created_at).getTime() > pending.begunAt - CLOCKS_DIFFER
  );
}

class PendingSends extends EventTarget {
  #byPlace = new Map();
  /** The latest pictures that were sent from this page, by the id of the send: the gateway does not show them. */
  pictures = new Map();
  /** Reasons of refusals by the id of the send, because the outbox stores only the code. */
  reasons = new Map();

  /** Return the pending sends to a chat of an account, the oldest first. */
  to(account, chat) {
    return this.#byPlace.get(`${account}/${chat}`) ?? [];
  }

  /** Call `listener` for each change; `isDone` of its argument says that the history has news. Returns a function that ends it. */
  on(listener) {
    const hear = ({ detail }) => listener(detail);
    this.addEventListener("changed", hear);
    return () => this.removeEventListener("changed", hear);
  }

  /** Send files, and then a text, in this order; an empty text is not sent. A refused one does not hold up the next. */
  async send(account, chat, files, text) {
    const all = files.map((file) => pendingOf({ account, chat, kind: "file", text: file.name, size: file.size, file }));
    if (text) all.push(pendingOf({ account, chat, kind: "text", text, size: 0, file: null }));
    this.#byPlace.set(`${account}/${chat}`, [...this.to(account, chat), ...all]);
    for (const pending of all.slice(1)) this.#changed(pending);
    for (const pending of all) if (pending.state === "waiting") await this.#go(pending);
  }

  /**
   * Try a refused or unanswered send again. It keeps its idempotency key, so that it is sent only once, if the gateway may
   * have made it: also after an answer of a proxy that got none.
   */
  again(pending) {
    if (pending.isRefused) pending.key = newKey();
    this.#go(pending);
  }

  /** Cancel an upload, or discard a send that was not made. */
  drop(pending) {
    pending.state = "dropped";
    pending.cancel?.();
    this.#remove(pending);
    this.#changed(pending);
  }

  async #go(pending) {
    try {
      if (pending.file && !pending.uploadId && !(await this.#upload(pending))) return;
      Object.assign(pending, { state: "sending", reason: "", cancel: null });
      this.#changed(pending);
      const body = pending.file
        ? { to: pending.chat, file: { upload_id: pending.uploadId } }
        : { to: pending.chat, text: pending.text };
      const headers = { "Idempotency-Key": pending.key };
      const { id } = await call("POST", `/accounts/${pending.account}/messages`, body, headers);
      this.#settle(pending, id);
    } catch (error) {
      await this.#fail(pending, error);
    }
  }

  /** Upload the file; return false if the upload was cancelled. */
  async #upload(pending) {
    const { done, cancel } = upload(pending.file, (part) => {
      pending.part = part;
      this.#changed(pending);
    });
    Object.assign(pending, { state: "uploading", part: 0, reason: "", cancel });
    this.#changed(pending);
    const uploaded = await done;
    pending.uploadId = uploaded?.upload_id ?? "";
    return uploaded !== null;
  }

  async #fail(pending, error) {
    pending.cancel = null;
    const reason = sentence(error);
    if (error instanceof Problem) {
      const stored = await this.#stored(pending);
      if (stored) {
        this.reasons.set(stored.id, reason);
        this.#settle(pending, stored.id);
        return;
      }
    }
    const isRefused = error instanceof Problem && error.status < 500;
    Object.assign(pending, { state: error instanceof Problem ? "refused" : "unanswered", isRefused, reason });
    this.#changed(pending);
  }

  /** Return the send of the outbox for a send that has failed; null if it was refused before it was stored. */
  async #stored(pending) {
    try {
      const { sends } = await call("GET", `/accounts/${pending.account}/sends?limit=20`);
      const isIt = (send) => (send.state === "failed" || send.state === "unknown") && mayBe(send, pending);
      return sends.find((send) => isIt(send) && !this.reasons.has(send.id)) ?? null;
    } catch (error) {
      sentence(error); // only a refusal or a lost connection may pass: the failure of the send is what is shown
      return null;
    }
  }

  /** Remove a send that the outbox shows from now on; those before it that failed keep their place before it. */
  #settle(pending, id) {
    const all = this.to(pending.account, pending.chat);
    for (const earlier of all.slice(0, all.indexOf(pending))) earlier.next ||= id;
    this.#remove(pending);
    if (pending.file?.type.startsWith("image/")) this.pictures.set(id, pending.file);
    if (this.pictures.size > PICTURES) this.pictures.delete(this.pictures.keys().next().value);
    this.#changed({ ...pending, isDone: true });
  }

  #remove(pending) {
    const rest = this.to(pending.account, pending.chat).filter((each) => each !== pending);
    this.#byPlace.set(`${pending.account}/${pending.chat}`, rest);
  }

  #changed(pending) {
    this.dispatchEvent(new CustomEvent("changed", { detail: pending }));
  }
}

function pendingOf(what) {
  return {
    ...what,
    key: newKey(),
    begunAt: Date.now(),
    state: "waiting",
    isRefused: false, // the gateway has answered that it did not make the send
    next: "", // id of the first later send that was made
    part: 0,
    reason: "",
    uploadId: "",
    cancel: null,
  };
}

export const pendingSends = new PendingSends();
