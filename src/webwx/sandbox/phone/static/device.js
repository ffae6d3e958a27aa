// The phone as a device: login codes to scan, the open web login, and the network.

import { at } from "./addresses.js";
import { attempt, confirmDialog } from "./attempts.js";
import { act } from "./control.js";
import { button, fill, h, icon, keepFocus, set, soon } from "./dom.js";
import { countdown, timeOfDay } from "./formats.js";
import { personName } from "./names.js";
import { empty } from "./overlays.js";
import { store } from "./store.js";
import { t } from "./words.js";

export function devicePane() {
  const codes = h("div", { class: "codes" });
  const logins = h("div", { class: "stack" });
  const network = h("div", { class: "stack" });
  const headings = ["scan", "webLogin", "connection"].map((key) => [key, h("h3", { class: "section-title", tabindex: "-1" })]);
  const hint = h("p", { class: "hint" });
  const [scanHead, loginHead, networkHead] = headings.map(([, node]) => node);
  const title = h("h2", { class: "pane-title" });
  const element = h(
    "section",
    { class: "pane device" },
    h("header", { class: "pane-head" }, title),
    h(
      "div",
      { class: "pane-body device-cards" },
      h("div", { class: "device-card is-codes" }, scanHead, hint, codes),
      h("div", { class: "device-card" }, loginHead, logins),
      h("div", { class: "device-card" }, networkHead, network),
    ),
  );

  function update() {
    if (!store.who) return;
    const name = t("phoneOf", { name: personName(store.who) });
    fill(title, name);
    set(element, "aria-label", t("phone"));
    for (const [key, node] of headings) fill(node, t(key));
    fill(hint, t("scanHint"));
    keepFocus(codes, () =>
      fill(
        codes,
        store.logins.waiting.length ? store.logins.waiting.map((login, at, all) => code(login, all.length > 1 ? all.length - at : 0)) : empty("scan", t("noCodes"), t("noCodesHint")),
      ),
    );
    keepFocus(logins, () => fill(logins, ...webLogin()));
    keepFocus(network, () => fill(network, ...connection()));
    tick();
  }

  /** Update the text that changes with the time; nothing else here does. */
  function tick() {
    for (const left of codes.querySelectorAll("[data-ends]"))
      fill(left, t("expiresIn", { time: countdown(Number(left.dataset.ends) - store.now()) }));
  }

  setInterval(tick, 1000);
  // While it is not shown, the pictures of its codes need not be loaded.
  store.on("logins people place clock", soon(() => element.isConnected && update()));
  // The focus is on the heading: on the first button, a repeated Enter would log a client out.
  return { element, update, focus: () => scanHead.focus() };
}

/** A waiting login; if there are several, each has a number, and the oldest is 1. */
function code(login, number) {
  const { uuid, stage } = login;
  const verb =
    (name, fields = {}) =>
    () =>
      attempt(() => act(name, { uuid, ...fields }));
  const name = login.who ? personName(login.who) : "";
  const place = login.host ? t("codeFor", { host: login.host }) : t("codeHere");
  const where = number ? t("codeNumber", { place, n: number }) : place;
  const said =
    stage === "new"
      ? ""
      : t(login.pushed && stage === "scanned" ? "pushedTo" : stage === "scanned" ? "scannedBy" : "confirmedBy", {
          name,
        });
  const buttons = {
    new: [
      button(t("scanThis", { name: personName(store.who) }), verb("scan", { who: store.who }), {
        kind: "is-main",
        picture: "scan",
      }),
      button(t("expire"), verb("expire")),
    ],
    scanned: [
      button(t("confirm"), verb("confirm"), { kind: "is-main", picture: "check" }),
      button(t("refuse"), verb("cancel")),
      button(t("expire"), verb("expire")),
    ],
    confirmed: [],
  }[stage];
  return h(
    "article",
    { class: "code", "aria-label": where, "data-key": uuid },
    !login.pushed &&
      stage === "new" &&
      h("img", {
        class: "qr",
        src: at(`qrcode/${encodeURIComponent(uuid)}`),
        alt: t("qrOf"),
        width: "240",
        height: "240",
      }),
    h("p", { class: "code-where" }, where),
    said && h("p", { class: "code-said", role: "status" }, said),
    h("p", { class: "faint" }, t("askedAt", { time: timeOfDay(login.made, true) })),
    h("p", { class: "faint", "data-ends": String(login.ends) }),
    h("div", { class: "buttons" }, buttons),
  );
}

function webLogin() {
  const login = store.login(store.who);
  if (!login) return [h("p", { class: "quiet-left" }, t("noWebLogin", { name: personName(store.who) }))];
  return [
    h(
      "p",
      { class: "state-line" },
      h("span", { class: "dot is-on", "aria-hidden": "true" }),
      [t("openSince", { time: timeOfDay(login.since) }), login.helper && t("helperLogin")].filter(Boolean).join(" · "),
    ),
    action("logout", "logOut", "logOutHint", askToLogOut),
    action("device", "otherClient", "otherClientHint", () => attempt(() => act("evict", { who: store.who }))),
  ];
}

function askToLogOut() {
  const who = store.who;
  confirmDialog(t("logOutNow", { name: personName(who) }), t("logOutHint"), t("logOut"), () => act("log-out", { who }));
}

function action(picture, words, hint, doing) {
  return h(
    "div",
    { class: "action" },
    button(t(words), doing, { picture }),
    h("p", { class: "hint" }, t(hint)),
  );
}

function connection() {
  const isOffline = Boolean(store.person(store.who).offline);
  const toggle = h(
    "button",
    {
      type: "button",
      class: "switch",
      role: "switch",
      "aria-checked": String(isOffline),
      on: { click: () => attempt(() => act(isOffline ? "online" : "offline", { who: store.who })) },
    },
    icon("offline"),
    h("span", {}, t("offline")),
    h("span", { class: "switch-track", "aria-hidden": "true" }),
  );
  set(toggle, "aria-describedby", "offline-hint");
  return [toggle, h("p", { class: "hint", id: "offline-hint" }, t("offlineHint"))];
}
