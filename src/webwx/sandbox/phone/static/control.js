// What this page does, it does by the control API, as every other hand does.

export class Refusal extends Error {}

/** Ask for a verb of the control API; a refusal is one sentence. */
export async function act(verb, fields) {
  let response;
  try {
    response = await fetch(`/control/${verb}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fields),
    });
  } catch {
    throw new Refusal("The sandbox does not answer.");
  }
  const answer = await response.json().catch(() => ({ error: `The sandbox answered ${response.status}.` }));
  if (answer.error) throw new Refusal(answer.error);
  return answer;
}
