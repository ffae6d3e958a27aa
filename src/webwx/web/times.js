// Times in a page: each has its exact value as its title, and as the value for programs.

import { fill, h } from "./dom.js";
import { format, longTime, shortTime } from "./formats.js";
import { language } from "./language.js";

/** Milliseconds after which all distances from now are updated. */
const COUNT = 15_000;

const STEPS = [
  [60, 1, "second"],
  [3600, 60, "minute"],
  [86_400, 3600, "hour"],
  [Infinity, 86_400, "day"],
];

/** Return a time in seconds since 1970 in full, which is shown while the pointer is over what has it. */
export function exactTime(seconds) {
  return format(seconds, { dateStyle: "full", timeStyle: "medium" });
}

function timeElement(seconds, words, kind) {
  const datetime = new Date(seconds * 1000).toISOString();
  return h("time", { class: kind, datetime, title: exactTime(seconds) }, words);
}

/** Show the time of the last message in a list of chats, in seconds since 1970; nothing for 0. */
export function rowTime(seconds, now) {
  return seconds ? timeElement(seconds, shortTime(seconds, now), "row-time") : null;
}

/** Show a time between two messages, in seconds since 1970. */
export function timeLine(seconds, now) {
  return h("p", { class: "time-line" }, timeElement(seconds, longTime(seconds, now), null));
}

/** Show an RFC 3339 time as its distance from now; nothing for null. */
export function ago(time) {
  if (!time) return null;
  const element = timeElement(Date.parse(time) / 1000, "", "ago");
  count(element);
  return element;
}

function count(element) {
  const seconds = (new Date(element.dateTime).getTime() - Date.now()) / 1000;
  const [, size, unit] = STEPS.find(([end]) => Math.abs(seconds) < end);
  const isNow = Math.abs(seconds) < 10;
  const relative = new Intl.RelativeTimeFormat(language() === "zh" ? "zh-CN" : "en", { numeric: "auto" });
  fill(element, relative.format(isNow ? 0 : Math.trunc(seconds / size), unit));
}

setInterval(() => document.querySelectorAll("time.ago").forEach(count), COUNT);
