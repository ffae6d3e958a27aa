// Times and sizes in the language of the page.

import { t } from "./shared-words.js";

const formatters = new Map(); // by language and options: making one takes as long as a hundred uses

/** Return a time in seconds since 1970 in the language of the page, with options of `Intl.DateTimeFormat`. */
export function format(seconds, options) {
  const { lang } = document.documentElement;
  const key = JSON.stringify([lang, options]);
  let formatter = formatters.get(key);
  if (!formatter) formatters.set(key, (formatter = new Intl.DateTimeFormat(lang, options)));
  return formatter.format(new Date(seconds * 1000));
}

export function timeOfDay(seconds, withSeconds = false) {
  return format(seconds, {
    hour: "2-digit",
    minute: "2-digit",
    second: withSeconds ? "2-digit" : undefined,
    hour12: false,
  });
}

/** A time in a list: the time of day for today, otherwise the day. */
export function shortTime(seconds, now) {
  const days = daysBetween(seconds, now);
  if (days === 0) return timeOfDay(seconds);
  if (days === 1) return t("yesterday");
  return format(
    seconds,
    new Date(seconds * 1000).getFullYear() === new Date(now * 1000).getFullYear()
      ? { month: "short", day: "numeric" }
      : { dateStyle: "short" },
  );
}

/** A time between messages. */
export function longTime(seconds, now) {
  const days = daysBetween(seconds, now);
  if (days === 0) return timeOfDay(seconds);
  if (days === 1) return `${t("yesterday")} ${timeOfDay(seconds)}`;
  return `${format(seconds, { dateStyle: "medium" })} ${timeOfDay(seconds)}`;
}

function daysBetween(seconds, now) {
  const midnight = new Date(now * 1000).setHours(0, 0, 0, 0);
  return Math.max(0, Math.ceil((midnight - seconds * 1000) / 86_400_000));
}

export function duration(seconds) {
  if (seconds < 180) return t("seconds", { n: Math.round(seconds) });
  if (seconds < 3600) return t("minutes", { n: Math.round(seconds / 60) });
  if (seconds < 172_800) return t("hours", { n: Math.round(seconds / 3600) });
  return t("days", { n: Math.round(seconds / 86_400) });
}

export function countdown(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

export function bytes(size) {
  if (size < 1024) return `${size} B`;
  if (size < 1024 * 1024) return `${(size / 1024).toFixed(1)} KB`;
  return `${(size / 1024 / 1024).toFixed(1)} MB`;
}
