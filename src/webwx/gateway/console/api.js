// Requests to the gateway, with the secret of the session. Only pages of this origin can read it: no page of another site,
// and no other port of this host, to which a browser would send a cookie.

import { stored } from "./browser-storage.js";
import { EventStream } from "./event-stream.js";
import { transmit } from "./transfer.js";

/** The path below which a proxy serves the gateway, such as `/wx`; empty for none. */
export const ROOT = new URL("..", import.meta.url).pathname.slice(0, -1);

/** The address of the gateway for programs. */
export const GATEWAY = location.origin + ROOT;

const API = "/api/v1";
const BASE = ROOT + API;

/** Gateways below several paths of one name share the storage of the browser. */
const KEY = `webwx.session${ROOT}`;
const HEADER = "webwx-console";

/** Milliseconds after which the signature of an address is replaced; the gateway accepts it for five minutes. */
const FRESH = 240_000;

/** Number of addresses that are signed by one request. */
const MOST_SIGNED = 50;

/** A line of the metrics, in the format of Prometheus. */
const METRIC = /^(\w+)(?:\{(.*)\})? (\S+)$/gm;

/** The route of the session. */
const SESSION = "/console/session";

let endOfSession = () => {};
const unsigned = new Set();
let signing = null; // a promise of the signatures of `unsigned`

/**
 * An error of the gateway: `message` is a sentence, `status` the HTTP status, and `code` the name of the error. `field` is
 * the path of the field that is not valid, empty for none, and `explanation` what the gateway says about this case, in English.
 */
export class Problem extends Error {
  constructor(status, { detail, title, code, errors = [], field = "" } = {}) {
    super([detail || title || `HTTP ${status}`, ...errors].join(" "));
    this.status = status;
    this.code = code ?? "";
    this.field = field;
    this.explanation = detail || errors.map((each) => each.replace(/^\S+: /, "")).join(" ");
  }
}

/** Whether a request that failed so may succeed later: it got no answer, or the gateway or a proxy has trouble. */
export function isPassing(error) {
  return error instanceof TypeError || (error instanceof Problem && error.status >= 500);
}

/**
 * Have `listener` called when the gateway refuses the session, whichever request notices that first: each further request
 * without a session would count as one with a wrong key.
 */
export function onSessionEnd(listener) {
  endOfSession = listener;
}

/** Exchange a one-time code for a session, which all tabs and later visits of this browser use. */
export async function openSession(code) {
  const { secret } = await call("POST", SESSION, { code });
  stored.set(KEY, secret);
}

/** End the session. */
export async function endSession() {
  await call("DELETE", SESSION);
  stored.remove(KEY);
}

/**
 * Make a request, and return the answer's JSON; null if it has no body. Throws `Problem`; `TypeError` if there is no answer.
 */
export async function call(method, path, body = undefined, headers = {}) {
  const answer = await fetch(BASE + path, {
    method,
    headers: { ...own(), ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  const json = answer.headers.get("Content-Type")?.includes("json") ? parsed(text) : null;
  const isOfCode = method === "POST" && path === SESSION;
  if (!answer.ok) throw refusal(answer.status, json, { isOfCode });
  return json;
}

/** Return the error for an answer; `isOfCode`: of a request with a one-time code and without a session. */
function refusal(status, json, { isOfCode = false } = {}) {
  if (status === 401 && !isOfCode) endOfSession();
  return new Problem(status, json ?? {});
}

/** Return the metrics of the gateway: {name, labels, value} each. Throws as `call`. */
export async function readMetrics() {
  const answer = await fetch(`${ROOT}/metrics`, { headers: own() });
  const text = await answer.text();
  if (!answer.ok) throw refusal(answer.status, parsed(text));
  return [...text.matchAll(METRIC)].map(([, name, labels = "", value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, each]) => [label, each])),
    value: Number(value),
  }));
}

/**
 * Upload a file. `report(part)` is called with the transmitted part, from 0 to 1. Returns {done, cancel}: `done` is
 * a promise of the upload, and null after a cancellation.
 */
export function upload(file, report) {
  const address = `${BASE}/uploads?${new URLSearchParams({ name: file.name.slice(-255) })}`;
  const { done, cancel } = transmit(address, file, own(), report);
  return { done: done.then((answer) => answer && uploaded(answer)), cancel };
}

function uploaded({ status, text }) {
  const json = parsed(text);
  if (status < 300) return json;
  throw refusal(status, json);
}

/** Open a stream of server-sent events, which is used like an `EventSource`. */
export function openStream(path) {
  return new EventStream(BASE + path, own);
}

/** Follow a stream of server-sent events; `on` holds a listener for each name. Returns a function that ends it. */
export function follow(path, on) {
  const source = openStream(path);
  for (const [name, listener] of Object.entries(on)) source.addEventListener(name, listener);
  return () => source.close();
}

/**
 * Load a picture or a recording from a path of the API. Its address is signed, because elements send no header; a failure
 * with an old signature is tried again with a new one, before other listeners of `error` are called.
 */
export function load(element, path, query = {}) {
  const address = signedAddress(path, query);
  element.addEventListener("error", async (event) => {
    if (address.isFresh()) return;
    event.stopImmediatePropagation();
    await assign();
    element.play?.();
  });
  assign();

  async function assign() {
    element.src = await address.sign();
  }
}

/** Make a link to a path of the API; its address is signed when it is used. */
export function linkTo(element, path) {
  const address = signedAddress(path);
  element.href = BASE + path;
  element.addEventListener("click", async (event) => {
    if (address.isFresh()) return;
    event.preventDefault();
    element.href = await address.sign();
    element.click();
  });
}

/** Return {sign, isFresh}: `sign` returns a signed address, or an unsigned one, which is refused, if there is no answer. */
function signedAddress(path, query = {}) {
  let signedAt = -FRESH;
  return {
    isFresh: () => performance.now() - signedAt < FRESH,
    async sign() {
      const signature = await signatureOf(API + path);
      signedAt = performance.now();
      return `${BASE}${path}?${new URLSearchParams({ ...query, signature })}`;
    },
  };
}

/** Return the signature of a path, or "" if there is no answer; the paths of one moment are signed together. */
async function signatureOf(path) {
  signing ??= Promise.resolve().then(signAll);
  unsigned.add(path);
  const signatures = await signing;
  return signatures.get(path) ?? "";
}

async function signAll() {
  const paths = [...unsigned];
  unsigned.clear();
  signing = null;
  const signatures = new Map();
  for (let start = 0; start < paths.length; start += MOST_SIGNED) {
    const some = paths.slice(start, start + MOST_SIGNED);
    try {
      const answer = await call("GET", `/console/signatures?${new URLSearchParams(some.map((path) => ["path", path]))}`);
      some.forEach((path, index) => signatures.set(path, answer.signatures[index]));
    } catch {
      // The elements show that their addresses are refused.
    }
  }
  return signatures;
}

function own() {
  return { [HEADER]: stored.get(KEY) ?? "" };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
