// The console: the frame around the screens, and the session.

import { call, Problem } from "./api.js";
import { accountsScreen } from "./accounts.js";
import { chatsScreen } from "./chats.js";
import { button, fill, h } from "./dom.js";
import { keysScreen } from "./keys.js";
import { isChinese, say, switchLanguage } from "./words.js";

const SCREENS = { accounts: accountsScreen, chats: chatsScreen, keys: keysScreen };

const main = h("main", { tabindex: "-1" });
const alert = h("p", { class: "alert", role: "alert", hidden: true });
let leaveScreen = () => {};

/** Show a failure until the next action. */
function report(error) {
  if (error instanceof Problem && error.status === 401) {
    showSignedOut();
    return;
  }
  alert.textContent = error instanceof Problem ? error.message : say("lost");
  alert.hidden = false;
}

/** Run an action, and report its failure; an action of the user takes an earlier report away. */
async function act(action, { isOfUser = true } = {}) {
  if (isOfUser) alert.hidden = true;
  try {
    await action();
  } catch (error) {
    report(error);
  }
}

function open(name) {
  leaveScreen();
  location.hash = name;
  for (const link of document.querySelectorAll("nav button")) {
    if (link.dataset.screen === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  fill(main);
  leaveScreen = SCREENS[name](main, act) ?? (() => {});
}

function showFrame() {
  document.documentElement.lang = isChinese() ? "zh-CN" : "en";
  document.title = say("title");
  const links = Object.keys(SCREENS).map((name) => button(say(name), () => open(name), { "data-screen": name }));
  fill(
    document.body,
    h(
      "header",
      {},
      h("h1", {}, say("title")),
      h("span", { class: "tag" }, say("unofficial")),
      h("nav", { "aria-label": say("screens") }, links),
      button(say("language"), () => {
        switchLanguage();
        showFrame();
      }),
      button(say("leave"), () =>
        act(async () => {
          await call("DELETE", "/console/session");
          showSignedOut();
        }),
      ),
    ),
    alert,
    main,
  );
  const wanted = location.hash.slice(1);
  open(wanted in SCREENS ? wanted : "accounts");
}

function showSignedOut() {
  leaveScreen();
  leaveScreen = () => {};
  document.documentElement.lang = isChinese() ? "zh-CN" : "en";
  fill(
    document.body,
    h("main", { class: "card" }, h("h1", {}, say("signedOut")), h("p", {}, say("signedOutHint"))),
  );
}

/** Exchange the one-time code of the link for a session, and take it out of the address. */
async function signIn() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  await call("POST", "/console/session", { code });
}

try {
  await signIn();
  await call("GET", "/accounts");
  showFrame();
} catch (error) {
  showSignedOut();
  if (!(error instanceof Problem)) document.body.append(h("p", { role: "alert", class: "alert" }, say("lost")));
}
