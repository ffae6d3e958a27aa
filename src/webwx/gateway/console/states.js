// What the page shows while content loads or after a failure.

import { isPassing, Problem } from "./api.js";
import { button, fill, h } from "./dom.js";
import { empty } from "./overlays.js";
import { inWords } from "./problem-words.js";
import { repeat } from "./repeat.js";
import { t } from "./words.js";

/** Return what is shown about an error: a sentence, and small below it what only the gateway's English sentence says. */
export function explained(error) {
  const { words, detail } = reasonOf(error);
  return [words, detail && h("span", { class: "own-words", lang: "en" }, detail)];
}

/** Return what `explained` shows, as one text. */
export function sentence(error) {
  const { words, detail } = reasonOf(error);
  return [words, detail].filter(Boolean).join(" ");
}

/** Return what `explained` shows, about an error that an answer of the API has as a text with its code. */
export function explainedText(text, code) {
  return explained(asProblem(text, code));
}

/** Return the sentence about such an error for a sentence of the page, and what is shown below it, as {words, detail}. */
export function partsOfText(text, code) {
  const { words } = reasonOf(asProblem(text, code));
  return { words, detail: explainedText(text, code)[1] };
}

function asProblem(detail, code) {
  return new Problem(0, { detail, code });
}

function reasonOf(error) {
  if (error instanceof Problem) return inWords(error);
  if (error instanceof TypeError) return { words: t("lost"), detail: "" };
  throw error;
}

export function loading() {
  return h("p", { class: "quiet", role: "status" }, t("loading"));
}

const loads = new WeakMap(); // what ends the present load, by its holder

/**
 * Run `doing`, which fills `holder`. Until then `holder` shows that it loads; after a failure it shows the reason, with a
 * button to try again. A passing failure is repeated a few times by itself, until the screen is left. The frame handles an
 * ended session.
 */
export async function load(frame, holder, doing) {
  loads.get(holder)?.abort();
  const replaced = new AbortController();
  loads.set(holder, replaced);
  const signal = AbortSignal.any([frame.signal, replaced.signal]);
  const report = (error, hint = "") => {
    const again = button(t("again"), () => frame.act(() => load(frame, holder, doing)), { picture: "retry" });
    const words = [explained(error), hint && [" ", hint]];
    fill(holder, h("div", { role: "alert" }, empty("faults", t("loadFailed"), words, again)));
  };
  fill(holder, loading());
  try {
    await repeat(doing, { isPassing, report: (error) => report(error, t("triesAgain")), signal });
  } catch (error) {
    if (error instanceof Problem && error.status === 401) throw error;
    if (!signal.aborted) report(error);
  }
}

/**
 * Keep the answers of several requests for the same content in order. Call the returned function when a request begins; it
 * returns a function to call when the answer has arrived, which returns false if a later answer is shown already.
 */
export function answersInOrder() {
  let begun = 0;
  let shown = 0;
  return () => {
    begun += 1;
    const turn = begun;
    return () => {
      if (turn < shown) return false;
      shown = turn;
      return true;
    };
  };
}
