// The page acts by the control API, like any other program.

import { at } from "./addresses.js";
import { language } from "./language.js";
import { REFUSALS } from "./refusal-words.js";
import { newKey, transmit } from "./transfer.js";
import { t } from "./words.js";

export class Refusal extends Error {}

/** A refusal after which the outcome is unknown: the answer was lost, or did not come from the sandbox. */
export class Unanswered extends Refusal {}

/**
 * Call an action of the control API; a refusal is one sentence, in the language of the page. A repetition with the same key
 * acts once.
 */
export function act(verb, fields, key = "") {
  const headers = { "Content-Type": "application/json", ...(key && { "Idempotency-Key": key }) };
  return ask(verb, { method: "POST", headers, body: JSON.stringify(fields) });
}

/** Return a function like `act` for one dialog, of which a repetition with the same fields acts once. */
export function actingOnce() {
  const keys = new Map();
  return (verb, fields) => {
    const what = JSON.stringify([verb, fields]);
    if (!keys.has(what)) keys.set(what, newKey());
    return act(verb, fields, keys.get(what));
  };
}

/**
 * Call an action with a file, whose content is the body. A repetition with the same key acts once. `report(part)` is called
 * with the transmitted part, from 0 to 1. Returns {done, cancel}: `done` is a promise, of null after a cancellation.
 */
export function upload(verb, fields, file, key, report) {
  const query = Object.entries(fields).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const headers = { "Content-Type": "application/octet-stream", "Idempotency-Key": key };
  const { done, cancel } = transmit(at(`control/${verb}?${query.join("&")}`), file, headers, report);
  return { done: done.then(read, refuseUnanswered), cancel };

  function read(answer) {
    return answer && accepted(parsed(answer));
  }
}

function parsed({ status, text }) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Unanswered(t("oddAnswer", { status }));
  }
}

function refuseUnanswered() {
  throw new Unanswered(t("noAnswerAtAll"));
}

/** Read from the control API. */
export function look(verb) {
  return ask(verb);
}

async function ask(verb, how) {
  let answer;
  try {
    const response = await fetch(at(`control/${verb}`), how);
    answer = { status: response.status, text: await response.text() };
  } catch {
    return refuseUnanswered();
  }
  return accepted(parsed(answer));
}

function accepted(answer) {
  if (answer.error) throw new Refusal((language() === "zh" && REFUSALS[answer.code]) || answer.error);
  return answer;
}
