// The console: the frame around the screens, and the session.

import { hasJournal, listAccounts } from "./account-list.js";
import { call, endSession, isPassing, onSessionEnd, openSession, Problem } from "./api.js";
import { attention } from "./attention.js";
import { upTo99 } from "./badges.js";
import { drafts } from "./composer.js";
import { button, fill, h, set } from "./dom.js";
import { refuseFiles } from "./files.js";
import { firstSteps } from "./first-steps-progress.js";
import { guardFocus } from "./focus.js";
import { brand, languageButton } from "./frame.js";
import { firstLanguage, onLanguage, setLanguage } from "./language.js";
import { learnLimits } from "./limits.js";
import { live } from "./live.js";
import { navigation } from "./navigation.js";
import { note, place } from "./place.js";
import { repeat } from "./repeat.js";
import { firstScreen, GROUPS, START } from "./screens.js";
import { explained } from "./states.js";
import { themeButton } from "./theme-button.js";
import { unread } from "./unread.js";
import { t } from "./words.js";

const heading = h("h2", { class: "screen-title", tabindex: "-1" });
const alert = h("p", { class: "alert", role: "alert" });
const done = h("p", { class: "done", role: "status" });
const body = h("div", { class: "screen-body" });
const main = h("main", { id: "screen", tabindex: "-1" }, heading, alert, done, body);
const theme = themeButton();
const connection = h("span", { class: "connection", role: "status" });

let groups = GROUPS;
let start = null; // the screen to begin with
let menu = null; // the navigation
let opened = null; // {screen, leaving, leave, move}

// -- actions ---------------------------------------------------------------------------------------------------------

/** Show a failure until the next action; the end of the session is shown already. */
function report(error) {
  if (!(error instanceof Problem && error.status === 401)) fill(alert, explained(error));
}

/**
 * Run an action, and show its failure. An action of the user first clears earlier messages; its button does nothing until
 * it has ended. Returns whether it has succeeded.
 */
async function act(action, { isOfUser = true, by = null } = {}) {
  if (by?.getAttribute("aria-disabled")) return false;
  if (isOfUser) {
    fill(alert);
    fill(done);
  }
  if (by) set(by, "aria-disabled", "true"); // a disabled button would lose the focus
  try {
    await action();
    return true;
  } catch (error) {
    report(error);
    return false;
  } finally {
    if (by) set(by, "aria-disabled", null);
  }
}

/** Show that an action was done. */
function notify(words) {
  fill(done, words);
}

// -- screens ---------------------------------------------------------------------------------------------------------

/** Show the screen of the address. A screen that is open already may handle the change itself. */
function follow({ isFirst = false } = {}) {
  const { name, parts } = place();
  firstSteps.readSoon(); // the screen that is left may have created something
  let screen = [START, ...groups.flatMap(({ screens }) => screens)].find((each) => each.name === name);
  if (!screen) {
    screen = start;
    note(screen.name); // a reload shows the same screen, whatever the accounts are then
  }
  if (opened?.screen === screen && opened.move) {
    opened.move(parts);
    if (document.activeElement === document.body) heading.focus(); // what was followed is gone
    return;
  }
  leaveScreen();
  menu.show(screen);
  fill(alert);
  fill(done);
  fill(body);
  fill(heading, screen.title());
  main.dataset.screen = screen.name;
  const leaving = new AbortController();
  opened = { screen, leaving, ...screen.open({ body, parts, act, notify, signal: leaving.signal }) };
  entitle();
  if (!isFirst) heading.focus();
}

function leaveScreen() {
  opened?.leaving.abort();
  opened?.leave?.();
  opened = null;
}

/** Show the screen and the number of unread messages in the title of the page. */
function entitle() {
  const number = unread.total();
  document.title = `${number ? `(${upTo99(number)}) ` : ""}${opened.screen.title()} · webwx ${t("gateway")}`;
}

function showConnection() {
  const words = { connecting: "liveConnecting", open: "liveOpen", lost: "liveLost" }[live.state];
  fill(connection, h("span", { class: live.state === "open" ? "dot is-on" : "dot" }), t(words));
  connection.classList.toggle("is-lost", live.state === "lost");
}

function showFrame() {
  leaveScreen();
  menu?.leave();
  menu = navigation(groups, START);
  const skip = h("a", { class: "skip", href: "#screen" }, t("skip"));
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  const other = languageButton();
  const leave = button(h("span", { class: "only-wide" }, t("leave")), () => act(leaveSession, { by: leave }), {
    kind: "chip",
    picture: "logout",
    "aria-label": t("leave"),
    title: t("leave"),
  });
  fill(
    document.body,
    skip,
    h(
      "header",
      { class: "bar" },
      h("h1", { class: "brand" }, brand(t("gateway"), t("aboutUnofficial"))),
      h("span", { class: "stretch" }),
      connection,
      other.element,
      theme.element,
      leave,
    ),
    menu.element,
    main,
  );
  set(document.body, "class", null);
  theme.update();
  showConnection();
  follow({ isFirst: true });
}

/** Show the frame in another language; the focus stays on the button that has switched it. */
function translate() {
  if (!document.body.contains(main)) return;
  showFrame();
  document.querySelector(".bar .chip").focus();
}

// -- the session -----------------------------------------------------------------------------------------------------

function showSignedOut() {
  leaveScreen();
  attention.leave();
  unread.leave();
  firstSteps.leave();
  live.close();
  document.title = `webwx ${t("gateway")}`;
  set(document.body, "class", "is-signed-out");
  fill(
    document.body,
    h("main", { class: "card" }, h("h1", { tabindex: "-1" }, t("signedOut")), h("p", { class: "hint" }, t("signedOutHint"))),
  );
}

/** Remove what this browser keeps for a session, after its end. */
function forget() {
  drafts.clear();
  unread.clear();
}

async function leaveSession() {
  await endSession();
  forget();
  showSignedOut();
}

/** Return the one-time code of the link, and remove it from the address. */
function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) history.replaceState(null, "", location.pathname);
  return code;
}

/** Show that the gateway does not answer; the page tries again. */
function showUnanswered(error) {
  live.close();
  set(document.body, "class", "is-signed-out");
  fill(document.body, h("main", { class: "card" }, h("p", { role: "alert", class: "alert" }, explained(error))));
}

/** Read what the frame needs. */
async function readFirst() {
  start = firstScreen((await listAccounts()).some(hasJournal), firstSteps.isHidden);
  const { is_cluster: isCluster, limits } = await call("GET", "/version");
  learnLimits(limits);
  groups = GROUPS.map((group) => ({
    ...group,
    screens: group.screens.filter((screen) => isCluster || !screen.isOfCluster),
  }));
}

async function begin() {
  setLanguage(firstLanguage());
  let code = takeCode();
  const first = async () => {
    if (code) await openSession(code);
    code = null;
    await readFirst();
  };
  try {
    await repeat(first, { isPassing, report: showUnanswered, most: Infinity });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showSignedOut();
    return;
  }
  unread.begin();
  await firstSteps.begin(); // a link that came later would move the others under the pointer
  showFrame();
  attention.begin();
  unread.on(() => opened && entitle());
  // The gateway refuses the stream if the session has ended; any request notices that.
  live.on("refused", () => act(listAccounts, { isOfUser: false }));
  live.on("state", showConnection);
}

addEventListener("hashchange", () => {
  if (location.hash.startsWith("#code=")) location.reload();
  else if (document.body.contains(main)) follow();
});
onSessionEnd(() => {
  forget();
  showSignedOut();
});
onLanguage(translate);
refuseFiles();
guardFocus(() => (heading.isConnected ? heading : document.querySelector("main h1")));
await begin();
