// What the gateway does, as numbers of the last ten minutes. Messages that arrive or were sent are counted from the live
// events as long as the page is open. Other numbers are read from the gateway while they are shown. Nothing is stored.

import { call, readMetrics } from "./api.js";
import { fewAtATime } from "./few.js";
import { live } from "./live.js";

/** Milliseconds that are shown. */
export const SPAN = 600_000;

/** Milliseconds of which events are counted together. */
const STEP = 10_000;

const MINUTE = 60_000;

/** Maximum number of webhooks, and of deliveries of each, that are read. */
const WEBHOOKS = 10;
const DELIVERIES = 100;

/** Counts events: their number in each period, and in the last minute. */
class Counter {
  #counts = new Map(); // by the end of the period
  #begun = periodOf(Date.now());

  add(at = Date.now()) {
    const period = Math.max(periodOf(at), this.#begun); // the time of a message has no parts of a second
    this.#counts.set(period, (this.#counts.get(period) ?? 0) + 1);
    for (const old of this.#counts.keys()) if (old < period - SPAN) this.#counts.delete(old);
  }

  /** Return {last, points}. */
  until(now) {
    const points = [];
    for (let at = Math.max(this.#begun, periodOf(now - SPAN)); at <= periodOf(now); at += STEP)
      points.push({ at, value: this.#counts.get(at) ?? 0 });
    const recent = points.filter(({ at }) => at > now - MINUTE);
    return { last: recent.reduce((sum, { value }) => sum + value, 0), points };
  }
}

/** Consumers of the command line, which each login begins: nothing is late while no command listens. */
const COMMANDS = new Set(["listen", "receive"]);

/** The values of a number when it was read. */
class Readings {
  #points = [];

  add(value, at) {
    this.#points = [...this.#points.filter((point) => point.at > at - SPAN), { at, value }];
  }

  /** Return {last, points}. */
  until() {
    return { last: this.#points.at(-1)?.value ?? 0, points: this.#points };
  }
}

const received = new Counter();
const sent = new Counter();
const waiting = new Readings();
const backlog = new Readings();
let deliveries = null; // to all webhooks: {at, delivered}; null without webhooks

// A page that was hidden hears of earlier events when it is shown: each counts at its own time.
live.on("event", ({ type, is_self: isSelf, time }) => {
  if (type.startsWith("message.") && !isSelf) received.add(Math.min(Date.parse(time), Date.now()));
});
live.on("send.changed", ({ send }) => send.state === "sent" && sent.add());

/** Read the numbers of which no event tells. */
export async function readActivity() {
  const [metrics, made] = await Promise.all([readMetrics(), readDeliveries()]);
  const now = Date.now();
  const ofSends = ({ name, labels }) => name === "webwx_account_sends" && ["queued", "sending"].includes(labels.state);
  waiting.add(sumOf(metrics.filter(ofSends)), now);
  const ofPrograms = ({ name, labels }) => name === "webwx_consumer_waiting_events" && !COMMANDS.has(labels.consumer);
  backlog.add(sumOf(metrics.filter(ofPrograms)), now);
  deliveries = made;
}

/** Return the numbers as {name, last, points, failed}; `failed` counts deliveries that failed in the last minute. */
export function activity(now) {
  const shown = [
    { name: "received", ...received.until(now) },
    { name: "sent", ...sent.until(now) },
    { name: "waitingSends", ...waiting.until() },
    { name: "backlog", ...backlog.until() },
  ];
  if (deliveries) shown.push({ name: "deliveries", ...deliveriesUntil(now) });
  return shown;
}

async function readDeliveries() {
  const { webhooks } = await call("GET", "/webhooks");
  if (webhooks.length === 0) return null;
  const newest = webhooks.slice(0, WEBHOOKS);
  const found = await fewAtATime(newest, ({ id }) => call("GET", `/webhooks/${id}/deliveries?limit=${DELIVERIES}`));
  return found.flatMap((each) => each.deliveries).map(({ time, delivered }) => ({ at: Date.parse(time), delivered }));
}

function deliveriesUntil(now) {
  const points = [];
  for (let at = periodOf(now - SPAN); at <= periodOf(now); at += STEP)
    points.push({ at, value: deliveries.filter((each) => periodOf(each.at) === at).length });
  const recent = deliveries.filter((each) => each.at > now - MINUTE);
  return { last: recent.length, points, failed: recent.filter((each) => !each.delivered).length };
}

/** Return the end of the period of a moment. */
function periodOf(moment) {
  return Math.ceil(moment / STEP) * STEP;
}

function sumOf(metrics) {
  return metrics.reduce((sum, { value }) => sum + value, 0);
}
