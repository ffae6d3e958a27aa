// A small chart of one number over time, without axes: its last value stands beside it, its course in a text.

import { h, svg } from "./dom.js";

/** Size of the drawing area; the chart is stretched to the width of its place. */
const WIDTH = 120;
const HEIGHT = 28;

/**
 * Draw a number as a chart with its title. `points` are {at, value}, the oldest first; `from` and `to` are the first and
 * the last moment of the chart. `value` is the last number in words, and `course` describes the points.
 */
export function sparkline({ title, value, course, points, from, to, isBad = false }) {
  const most = Math.max(1, ...points.map((point) => point.value));
  const places = points.map((point) => {
    const x = ((point.at - from) / (to - from)) * WIDTH;
    const y = HEIGHT - 1 - (point.value / most) * (HEIGHT - 2);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return h(
    "li",
    { class: "chart" },
    h("p", { class: "hint" }, title),
    h("p", { class: isBad ? "chart-value is-bad" : "chart-value" }, value),
    svg(
      "svg",
      {
        class: "sparkline",
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": `${title}: ${course}`,
      },
      svg("line", { class: "sparkline-ground", x1: "0", x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }),
      svg("polyline", { points: places.join(" ") }),
    ),
  );
}
