// The first steps: from an empty gateway to a message on the phone, a command of one's own, and a connected program.

import { accountName } from "./account-list.js";
import { hostOptions } from "./account-settings.js";
import { call, GATEWAY } from "./api.js";
import { copyable } from "./copyable.js";
import { button, fill, h, icon, raisesKeyboard, set } from "./dom.js";
import { firstSteps, STEPS } from "./first-steps-progress.js";
import { t } from "./first-steps-words.js";
import { choice, field, isComplete, showError, showRefusal, textInput } from "./forms.js";
import { live } from "./live.js";
import { loginViews } from "./login-view.js";
import { FILEHELPER } from "./names.js";
import { addressOf, go } from "./place.js";
import { explained } from "./states.js";
import { newKey } from "./transfer.js";

export const start = { name: "start", picture: "check", title: () => t("firstSteps"), open };

/** The key of the command, without its account. */
const KEY = { name: "first-steps", scopes: ["send:filehelper"] };

const PROGRAMS = [
  ["receivers", "bell", "toReceivers"],
  ["webhooks", "hook", "toWebhooks"],
  ["programs", "program", "toPrograms"],
  ["keys", "key", "toKeys"],
];

function open(frame) {
  const progress = h("p", { class: "hint", role: "status" });
  const list = h("ol", { class: "steps" });
  const end = h("div", { class: "buttons" });
  const logins = loginViews(frame, () => firstSteps.read());
  let present = null; // the step whose content is shown
  let isBeginning = false; // the login of a new account is requested
  let update = null; // renders a part of this content again
  let isOpen = true;
  fill(frame.body, h("p", { class: "hint" }, t("intro")), progress, list, end);

  const parts = new Map(
    STEPS.map((step) => {
      const mark = h("span", { class: "step-mark", "aria-hidden": "true" });
      const state = h("span", { class: "hidden" });
      const content = h("div", { class: "step-content form" });
      const title = h("h3", { tabindex: "-1" }, t(step), " ", state);
      const element = h("li", { class: "step card" }, mark, title, content);
      return [step, { mark, state, title, content, element }];
    }),
  );
  fill(list, [...parts.values()].map(({ element }) => element));
  // The code grows when it is loaded: then it is what the window shows.
  list.addEventListener("load", ({ target }) => target.matches(".code") && view(parts.get("scan").element), true);

  function draw() {
    if (!isOpen || firstSteps.done === null) return;
    STEPS.forEach((step, index) => {
      const { mark, state, element } = parts.get(step);
      const isDone = firstSteps.done.has(step);
      const isNow = step === firstSteps.present;
      set(element, "aria-current", isNow ? "step" : null);
      element.classList.toggle("is-done", isDone);
      fill(mark, isDone ? icon("check") : String(index + 1));
      fill(state, `(${t(isDone ? "stepDone" : isNow ? "stepNow" : "stepLater")})`);
    });
    fill(progress, firstSteps.isComplete ? t("allDone") : t("progress", { n: firstSteps.done.size, all: STEPS.length }));
    const words = t(firstSteps.isComplete ? "finish" : "hide");
    if (end.textContent !== words) fill(end, button(words, hide, { kind: firstSteps.isComplete ? "is-main" : "is-quiet" }));
    show(firstSteps.present);
  }

  /** Show the content of a step; the focus follows if it was in the step before. */
  function show(step) {
    if (firstSteps.account) logins.find([firstSteps.account]);
    if (step === present) {
      update?.();
      return;
    }
    const last = parts.get(present);
    const held = document.activeElement;
    present = step;
    update = null;
    if (step) fill(parts.get(step).content, CONTENTS[step]());
    if (last ? last.element.contains(held) : held === document.body) focusOn(step);
    if (last) fill(last.content);
    if (step) view(parts.get(step).element);
  }

  function view(element) {
    if (element.getBoundingClientRect().bottom > innerHeight) element.scrollIntoView({ block: "start" });
  }

  function focusOn(step) {
    if (!step) return end.firstElementChild.focus();
    const { title, content } = parts.get(step);
    const control = content.querySelector("[autofocus]:not([hidden])");
    if (control && !(raisesKeyboard() && control.localName === "input")) control.focus();
    else title.focus();
    return undefined;
  }

  function hide() {
    firstSteps.hide();
    go(firstSteps.done.has("scan") ? "chats" : "accounts");
  }

  /** Make a form; `submit` makes the request, and a refusal is shown beside the field that it names, else beside `main`. */
  function stepForm(fields, words, main, submit) {
    const send = h("button", { class: "button is-main" }, words);
    const form = h("form", { class: "form", novalidate: true }, fields, h("div", { class: "buttons" }, send));
    form.addEventListener("input", ({ target }) => showError(target, ""));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!isComplete(form)) return;
      frame.act(
        async () => {
          try {
            await submit();
          } catch (error) {
            if (error.status === 401) throw error;
            await firstSteps.read(); // a part of it may be done, such as an account without its login
            if (!main.isConnected) throw error;
            if (showRefusal(form, error)) return;
            showError(main, explained(error));
            main.focus();
            return;
          }
          await firstSteps.read();
        },
        { by: send },
      );
    });
    return form;
  }

  // -- contents ------------------------------------------------------------------------------------------------------

  const CONTENTS = { account: addAccount, scan, message, curl, connect };

  function addAccount() {
    const name = textInput("phone", { required: true, maxlength: "40", autofocus: true });
    const host = choice(hostOptions(), "filehelper");
    const fields = [field(t("accountName"), name, t("accountNameHint"), "name"), field(t("where"), host, null, "settings.host")];
    const form = stepForm(fields, t("add"), name, async () => {
      const account = await call("POST", "/accounts", { name: name.value.trim(), settings: { host: host.value } });
      isBeginning = true; // the next step shows the code at once
      try {
        await logins.begin(account);
      } finally {
        isBeginning = false;
      }
    });
    return [h("p", { class: "hint" }, t("accountHint")), form];
  }

  function scan() {
    const account = firstSteps.account;
    const begin = button(t("showCode"), () => frame.act(() => logins.begin(account), { by: begin }), {
      kind: "is-main",
      autofocus: true,
    });
    // The button is there unless a code is, also after a login that was stopped or has failed.
    update = () => {
      begin.hidden = isBeginning || logins.isRunning(account);
    };
    update();
    return [h("p", { class: "hint" }, t("scanHint")), logins.viewOf(account), h("div", { class: "buttons" }, begin)];
  }

  function message() {
    const text = textInput(t("messageExample"), { required: true, maxlength: "1000", autofocus: true });
    const fields = [field(t("messageText"), text, t("messageHint"), "text")];
    const keys = {}; // a repeated attempt sends the same text once
    return stepForm(fields, t("send"), text, () =>
      call(
        "POST",
        `/accounts/${firstSteps.account.number}/messages`,
        { to: FILEHELPER, text: text.value },
        { "Idempotency-Key": (keys[text.value] ??= newKey()) },
      ),
    );
  }

  function curl() {
    const { account } = firstSteps;
    const holder = h("div", { class: "form" });
    const make = button(t("makeKey"), () => frame.act(makeKey, { by: make }), { kind: "is-main", autofocus: true });
    const gone = h("p", { class: "hint", hidden: true }, t("keyGone"));
    fill(holder, gone, h("div", { class: "buttons" }, make));

    /** Find the key of an earlier visit, which cannot be shown again. */
    async function earlier() {
      const { keys } = await call("GET", "/keys");
      return keys.find(({ name, accounts }) => name === KEY.name && String(accounts) === String(account.number));
    }

    async function makeKey() {
      const old = await earlier();
      const made = old
        ? await call("POST", `/keys/${encodeURIComponent(old.id)}/rotate?hours=0`)
        : await call("POST", "/keys", { ...KEY, accounts: [account.number] });
      const command = `curl -H "Authorization: Bearer ${made.key}" -d "${t("commandText")}" ${GATEWAY}/api/v1/notify`;
      fill(
        holder,
        copyable(t("command"), command),
        h("p", { class: "hint" }, t("keyOnce")),
        h("p", { class: "state", role: "status" }, h("span", { class: "dot" }), t("waiting")),
      );
      holder.querySelector("button").focus();
      firstSteps.isAwaited = true;
      firstSteps.readSoon();
    }

    frame.act(
      async () => {
        if (!(await earlier())) return;
        gone.hidden = false;
        fill(make, t("newKey"));
      },
      { isOfUser: false },
    );
    return [h("p", { class: "hint" }, t("curlHint", { name: accountName(account) })), holder];
  }

  function connect() {
    return [
      h("p", { class: "hint" }, t("connectHint")),
      h(
        "ul",
        { class: "ways" },
        PROGRAMS.map(([screen, picture, words], index) =>
          h(
            "li",
            {},
            h(
              "a",
              { class: "way", href: addressOf(screen), autofocus: index === 0 },
              icon(picture),
              h("span", {}, h("b", {}, t(words)), h("span", { class: "hint" }, t(`${words}Hint`))),
            ),
          ),
        ),
      ),
    ];
  }

  const ends = [firstSteps.on(draw), live.on("account.state", () => firstSteps.readSoon())];
  draw();
  frame.act(() => firstSteps.read());
  return {
    leave() {
      isOpen = false;
      firstSteps.isAwaited = false;
      for (const each of ends) each();
      logins.leave();
    },
  };
}
