// A file as the body of a request, with its progress, which `fetch` does not report.

/**
 * Transmit a file. `report(part)` is called with the transmitted part, from 0 to 1. Returns {done, cancel}: `done` is a
 * promise of {status, text}, null after a cancellation; it is rejected with a `TypeError` if there is no answer.
 */
export function transmit(address, file, headers, report) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", address);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => event.total && report(event.loaded / event.total));
    request.addEventListener("load", () => resolve({ status: request.status, text: request.responseText }));
    request.addEventListener("error", () => reject(new TypeError("There is no answer.")));
    request.addEventListener("abort", () => resolve(null));
    request.send(file);
  });
  return { done, cancel: () => request.abort() };
}

/** Return a new idempotency key: what is repeated with its key is done once. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
