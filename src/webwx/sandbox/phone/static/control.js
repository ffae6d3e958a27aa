// What this page does, it does by the control API, as every other hand does.

export class Refusal extends Error {}

/** Do a verb of the control API; a refusal is one sentence. */
export function act(verb, fields) {
  return ask(verb, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields) });
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
    throw new Refusal("The sandbox does not answer.");
  }
  const answer = await response.json().catch(() => ({ error: `The sandbox answered ${response.status}.` }));
  if (answer.error) throw new Refusal(answer.error);
  return answer;
}
