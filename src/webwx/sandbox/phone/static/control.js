// What this page does, it does by the control API, as every other hand does.

import { language } from "./language.js";
import { REFUSALS } from "./refusal-words.js";
import { t } from "./words.js";

export class Refusal extends Error {}

/** Do a verb of the control API; a refusal is one sentence, in the language of the page. */
export function act(verb, fields) {
  return ask(verb, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields) });
}

/** Do a verb that takes a file: its content is sent as it is, and the browser reads it piece by piece. */
export function upload(verb, fields, file) {
  const query = Object.entries(fields).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return ask(`${verb}?${query.join("&")}`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: file,
  });
}

/** Look at something in the control API. */
export function look(verb) {
  return ask(verb);
}

async function ask(verb, how) {
  let response;
  try {
    response = await fetch(`/control/${verb}`, how);
  } catch {
    throw new Refusal(t("noAnswerAtAll"));
  }
  const answer = await response.json().catch(() => ({ error: t("oddAnswer", { status: response.status }) }));
  if (answer.error) throw new Refusal((language() === "zh" && REFUSALS[answer.code]) || answer.error);
  return answer;
}
