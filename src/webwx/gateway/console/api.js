// Requests to the gateway. The session's cookie is HttpOnly; the header shows that no other site made the request.

const BASE = "/api/v1";

/** A refusal of the gateway; `message` is its sentence, `status` the HTTP status. */
export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Make a request, and return the answer's JSON; null if it has no body. Throws `Problem`. */
export async function call(method, path, body = undefined) {
  const headers = { "webwx-console": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(BASE + path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  const json = text && answer.headers.get("Content-Type")?.includes("json") ? JSON.parse(text) : null;
  if (!answer.ok) throw new Problem(answer.status, json?.detail ?? json?.title ?? `HTTP ${answer.status}`);
  return json;
}

/** Follow a stream of server-sent events; `on` holds a listener for each name. Returns a function that ends it. */
export function follow(path, on) {
  const source = new EventSource(BASE + path);
  for (const [name, listener] of Object.entries(on)) source.addEventListener(name, listener);
  return () => source.close();
}

/** Return the address of a picture or a file of the API. */
export function address(path) {
  return BASE + path;
}
