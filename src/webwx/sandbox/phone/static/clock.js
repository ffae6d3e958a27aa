// The world's clock in the bar, and the dialog that advances it.

import { attempt, say } from "./attempts.js";
import { act } from "./control.js";
import { button, fill, h, icon, set } from "./dom.js";
import { duration, timeOfDay } from "./formats.js";
import { onLanguage } from "./language.js";
import { dialog } from "./overlays.js";
import { store } from "./store.js";
import { t } from "./words.js";

/** Seconds that are just longer than a limit: the time to recall a message, the life of a login code. */
const STEPS = [30, 121, 301, 3600, 86_400];

export function clockButton() {
  const time = h("span", { class: "clock-time" });
  const element = h(
    "button",
    { type: "button", class: "chip", "aria-haspopup": "dialog", on: { click: windClock } },
    icon("clock"),
    time,
  );

  function update() {
    const now = store.clock.now ? timeOfDay(store.now(), true) : ""; // the sandbox has not told it yet
    set(element, "aria-label", t("clock", { time: now }));
    fill(time, now);
  }

  setInterval(update, 1000);
  store.on("clock", update);
  onLanguage(update);
  return element;
}

function windClock() {
  dialog(t("windClock"), (close) => {
    const seconds = h("input", {
      class: "input",
      id: "field-seconds",
      type: "number",
      min: "0",
      step: "any",
      value: "121",
    });
    const wind = async (by) => {
      if (!(await attempt(() => act("wind", { seconds: by })))) return;
      close();
      say(t("wound", { time: duration(by) }));
    };
    const form = h(
      "form",
      { class: "wind-form" },
      h("label", { for: seconds.id }, t("secondsForward")),
      seconds,
      h("button", { class: "button is-main", type: "submit" }, t("wind")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      wind(seconds.valueAsNumber || 0);
    });
    return [
      h("p", { class: "hint" }, t("windHint")),
      !store.clock.runs && h("p", { class: "hint" }, t("standsStill")),
      h(
        "div",
        { class: "buttons" },
        STEPS.map((by, at) =>
          button(duration(by), () => wind(by), {
            autofocus: at === 0,
            "aria-label": t("windBy", { time: duration(by) }),
          }),
        ),
      ),
      form,
    ];
  });
}
