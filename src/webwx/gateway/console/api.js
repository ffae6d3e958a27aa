// Requests to the gateway. The cookie of the session is HttpOnly; the header proves that no other site made the request.

const BASE = "/api/v1";
const OWN = { "webwx-console": "1" };

/** An error of the gateway: `message` is a sentence, `status` the HTTP status, `code` the name of the error. */
export class Problem extends Error {
  constructor(status, { detail, title, code } = {}) {
    super(detail || title || `HTTP ${status}`);
    this.status = status;
    this.code = code ?? "";
  }
}

/**
 * Make a request, and return the answer's JSON; null if it has no body. Throws `Problem`; `TypeError` if there is no answer.
 */
export async function call(method, path, body = undefined, headers = {}) {
  const answer = await fetch(BASE + path, {
    method,
    headers: { ...OWN, ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  const json = answer.headers.get("Content-Type")?.includes("json") ? parsed(text) : null;
  if (!answer.ok) throw new Problem(answer.status, json ?? {});
  return json;
}

/**
 * Upload a file. `report(part)` is called with the transmitted part, from 0 to 1. Returns {done, cancel}: `done` is
 * a promise of the upload, and null after a cancellation.
 */
export function upload(file, report) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", `${BASE}/uploads?${new URLSearchParams({ name: file.name.slice(-255) })}`);
    for (const [name, value] of Object.entries(OWN)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => event.total && report(event.loaded / event.total));
    request.addEventListener("load", () => {
      const json = parsed(request.responseText);
      if (request.status < 300) resolve(json);
      else reject(new Problem(request.status, json ?? {}));
    });
    request.addEventListener("error", () => reject(new TypeError("There is no answer.")));
    request.addEventListener("abort", () => resolve(null));
    request.send(file);
  });
  return { done, cancel: () => request.abort() };
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

/** Return a new idempotency key: a send that is repeated with its key is sent once. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
