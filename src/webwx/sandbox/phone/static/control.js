// The page acts by the control API, like any other program.

import { at } from "./addresses.js";
import { language } from "./language.js";
import { REFUSALS } from "./refusal-words.js";
import { t } from "./words.js";

export class Refusal extends Error {}

/** Call an action of the control API; a refusal is one sentence, in the language of the page. */
export function act(verb, fields) {
  return ask(verb, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields) });
}

/** Call an action with a file: its content is the body, and the browser reads it in pieces. */
export function upload(verb, fields, file) {
  const query = Object.entries(fields).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return ask(`${verb}?${query.join("&")}`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: file,
  });
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
  const answer = await response.json().catch(() => ({ error: t("oddAnswer", { status: response.status }) }));
  if (answer.error) throw new Refusal((language() === "zh" && REFUSALS[answer.code]) || answer.error);
  return answer;
}
