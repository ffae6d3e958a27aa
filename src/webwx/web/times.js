// Times in a page: each has its exact value as its title, and as the value for programs.

import { fill, h } from "./dom.js";
import { longTime, shortTime } from "./formats.js";
import { language } from "./language.js";

/** Milliseconds after which all distances from now are updated. */
const COUNT = 15_000;

const STEPS = [
  [60, 1, "second"],
  [3600, 60, "minute"],
  [86_400, 3600, "hour"],
  [Infinity, 86_400, "day"],
];

/** Return a time with `words`; the exact one is shown while the pointer is over it. */
function timeElement(date, words, kind) {
  const exact = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "full", timeStyle: "medium" });
  return h("time", { class: kind, datetime: date.toISOString(), title: exact.format(date) }, words);
}

/** Show the time of the last message in a list of chats, in seconds since 1970; nothing for 0. */
export function rowTime(seconds, now) {
  return seconds ? timeElement(new Date(seconds * 1000), shortTime(seconds, now), "row-time") : null;
}

/** Show a time between two messages, in seconds since 1970. */
export function timeLine(seconds, now) {
  return h("p", { class: "time-line" }, timeElement(new Date(seconds * 1000), longTime(seconds, now), null));
}

/** Show an RFC 3339 time as its distance from now; nothing for null. */
export function ago(time) {
  if (!time) return null;
  const element = timeElement(new Date(time), "", "ago");
  count(element);
  return element;
}

function count(element) {
  const seconds = (new Date(element.dateTime).getTime() - Date.now()) / 1000;
  const [, size, unit] = STEPS.find(([end]) => Math.abs(seconds) < end);
  const isNow = Math.abs(seconds) < 10;
  const format = new Intl.RelativeTimeFormat(language() === "zh" ? "zh-CN" : "en", { numeric: "auto" });
  fill(element, format.format(isNow ? 0 : Math.trunc(seconds / size), unit));
}

setInterval(() => document.querySelectorAll("time.ago").forEach(count), COUNT);
