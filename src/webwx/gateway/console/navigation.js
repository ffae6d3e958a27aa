// The navigation: the screens in groups. In a narrow window there is a row with the groups, and one with the screens of
// the group that is open. A number beside a screen counts what needs a look there.

import { attention } from "./attention.js";
import { upTo99 } from "./badges.js";
import { fill, h, icon, set } from "./dom.js";
import { firstSteps, STEPS } from "./first-steps-progress.js";
import { t } from "./words.js";

/**
 * Return the navigation of groups of screens, and of the first steps while they are not done: its element, and
 * `show(screen)`, which marks the present screen.
 */
export function navigation(groups, start) {
  const first = screenLink(start);
  const links = new Map([
    [start, first],
    ...groups.flatMap(({ screens }) => screens.map((screen) => [screen, screenLink(screen)])),
  ]);
  const parts = groups.map((group) => {
    const tab = h(
      "a",
      { class: "nav-tab", href: addressOfScreen(group.screens[0]) },
      icon(group.picture),
      h("span", {}, group.title()),
      h("span", { class: "badge", "aria-hidden": "true", hidden: true }),
    );
    const screens = h(
      "div",
      { class: "nav-group", role: "group", "aria-label": group.title() },
      h("p", { class: "nav-title", "aria-hidden": "true" }, group.title()),
      group.screens.map((screen) => links.get(screen)),
    );
    return { group, tab, screens };
  });
  const element = h(
    "nav",
    { class: "nav", "aria-label": t("screens") },
    h("div", { class: "nav-start" }, first),
    h(
      "div",
      { class: "nav-tabs" },
      parts.map(({ tab }) => tab),
    ),
    parts.map(({ screens }) => screens),
  );

  function show(screen) {
    for (const [each, link] of links) set(link, "aria-current", each === screen ? "page" : null);
    for (const { group, tab, screens } of parts) {
      const isOpen = group.screens.includes(screen);
      set(tab, "aria-current", isOpen ? "true" : null);
      if (isOpen) set(tab, "href", addressOfScreen(screen)); // a return to the group opens the last screen again
      screens.classList.toggle("is-open", isOpen);
    }
  }

  function count() {
    for (const { group, tab } of parts) {
      const counts = group.screens.map((screen) => showCount(links.get(screen), attention.of(screen.name)));
      showCount(tab, { number: counts.reduce((sum, each) => sum + each, 0), words: "" });
    }
  }

  function showFirst() {
    first.parentNode.hidden = !firstSteps.isShown;
    const badge = first.querySelector(".badge");
    badge.hidden = !firstSteps.isShown;
    if (firstSteps.isShown) fill(badge, `${firstSteps.done.size}/${STEPS.length}`);
  }

  count();
  showFirst();
  const ends = [attention.on(count), firstSteps.on(showFirst)];
  return { element, show, leave: () => ends.forEach((end) => end()) };
}

function addressOfScreen(screen) {
  return `#/${screen.name}`;
}

function screenLink(screen) {
  return h(
    "a",
    { class: "nav-link", href: addressOfScreen(screen) },
    icon(screen.picture),
    h("span", {}, screen.title()),
    h("span", { class: "badge", "aria-hidden": "true", hidden: true }),
  );
}

/** Show a number on a link, with its meaning as the description of the link; return the number. */
function showCount(link, { number, words }) {
  const badge = link.querySelector(".badge");
  badge.hidden = number === 0;
  fill(badge, upTo99(number));
  set(link, "title", words || null);
  return number;
}
