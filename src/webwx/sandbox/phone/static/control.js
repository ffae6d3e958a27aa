// The page acts by the control API, like any other program.

import { at } from "./addresses.js";
import { language } from "./language.js";
import { REFUSALS } from "./refusal-words.js";
import { transmit } from "./transfer.js";
import { t } from "./words.js";

export class Refusal extends Error {}

/** Call an action of the control API; a refusal is one sentence, in the language of the page. */
export function act(verb, fields) {
  return ask(verb, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields) });
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
    return { error: t("oddAnswer", { status }) };
  }
}

function refuseUnanswered() {
  throw new Refusal(t("noAnswerAtAll"));
}

/** Read from the control API. */
export function look(verb) {
  return ask(verb);
}

async function ask(verb, how) {
  let response;
  try {
    response = await fetch(at(`control/${verb}`), how);
  } catch {
    throw new Refusal(t("noAnswerAtAll"));
  }
  return accepted(await response.json().catch(() => ({ error: t("oddAnswer", { status: response.status }) })));
}

function accepted(answer) {
  if (answer.error) throw new Refusal((language() === "zh" && REFUSALS[answer.code]) || answer.error);
  return answer;
}
