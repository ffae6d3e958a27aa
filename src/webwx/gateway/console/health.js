// The screen of the health: whether all is well, charts of what happens, the sync, rate limit and outbox of each account,
// the programs that read events, and the audit log.

import { accountName, hasJournal, isOnline, listAccounts } from "./account-list.js";
import { activity, readActivity, SPAN } from "./activity.js";
import { call, Problem, ROOT } from "./api.js";
import { auditLog } from "./audit-log.js";
import { confirm } from "./confirm.js";
import { readConsumerNames } from "./consumers.js";
import { copyable } from "./copyable.js";
import { deadLetters } from "./dead-letters.js";
import { button, fill, h, set, soon } from "./dom.js";
import { fewAtATime } from "./few.js";
import { firstSteps } from "./first-steps-progress.js";
import { duration } from "./formats.js";
import { t } from "./health-words.js";
import { arrange } from "./keyed-list.js";
import { live } from "./live.js";
import { empty } from "./overlays.js";
import { addressOf } from "./place.js";
import { sparkline } from "./sparkline.js";
import { explainedText, load } from "./states.js";
import { table } from "./table.js";
import { ago } from "./times.js";

export const health = { name: "health", picture: "pulse", title: () => t("health"), open };

/** States of sends that need attention. */
const BAD = ["failed", "unknown"];

/** Milliseconds after which the numbers of the charts are read again. */
const READ = 5_000;

function open(frame) {
  const verdict = h("div", { role: "status" });
  const charts = activityCharts();
  const sections = accountTable();
  const readers = consumerTable();
  const given = deadLetters(frame);
  const log = auditLog(frame);
  const about = h("section", { class: "card" });
  const holder = h("div", { class: "parts" });
  const again = button(t("refresh"), () => frame.act(refresh, { by: again }), { picture: "retry" });
  fill(frame.body, h("div", {}, again), holder);

  async function refresh() {
    const accounts = await listAccounts();
    const [states, { version }] = await Promise.all([
      fewAtATime(accounts, (account) => call("GET", `/accounts/${account.number}/health`)),
      call("GET", "/version"),
    ]);
    sections.show(accounts.map((account, index) => ({ account, state: states[index] })));
    const failed = await readers.refresh(accounts.filter(hasJournal));
    showVerdict(verdict, problemsOf(accounts, states, failed), { isEmpty: !accounts.some(hasJournal) });
    await Promise.all([given.show(failed.map(({ consumer }) => consumer)), log.refresh(), charts.read()]);
    if (!about.firstChild) fillAbout(version);
    arrange(holder, [verdict, charts.element, sections.element, readers.element, given.element, about, log.element]);
  }

  function fillAbout(version) {
    fill(
      about,
      h("h3", {}, t("gateway")),
      h("p", {}, `${t("version")}${t("colon")}${version}`),
      h("p", {}, h("a", { href: `${ROOT}/docs`, target: "_blank", rel: "noopener" }, t("reference"))),
      copyable(t("backup"), "webwx serve backup FOLDER"),
      button(
        t("signOut"),
        () => confirm(frame, { title: t("signOutTitle"), hint: t("signOutHint"), words: t("signOut") }, endSessions),
        { kind: "is-danger" },
      ),
    );
  }

  async function endSessions() {
    await call("DELETE", "/console/session?all=true");
    await listAccounts(); // this is refused, and the page then shows that the session has ended
  }

  frame.act(() => load(frame, holder, refresh));
  const ends = ["account.state", "open"].map((kind) => live.on(kind, () => frame.act(refresh, { isOfUser: false })));
  ends.push(charts.leave);
  return { leave: () => ends.forEach((end) => end()) };
}

// -- the verdict -----------------------------------------------------------------------------------------------------

/** Return what is wrong: sentences, each with the screen where something can be done about it. */
function problemsOf(accounts, states, failedConsumers) {
  const problems = [];
  accounts.forEach((account, index) => {
    const state = states[index];
    const name = accountName(account);
    if (!hasJournal(account)) return;
    if (account.state === "logged_out") problems.push([t("loginEnded", { name }), addressOf("accounts")]);
    else if (account.state === "degraded") problems.push([t("retrying", { name }), addressOf("accounts")]);
    if (!state.is_journal_readable) problems.push([t("journalLost", { name }), ""]);
    const unknown = state.sends.unknown ?? 0;
    if (unknown) problems.push([t("sendsUnknown", { name, n: unknown }), addressOf("outbox", account.number)]);
    if (state.rate_limit?.paused_until) problems.push([t("refusing", { name }), ""]);
  });
  if (failedConsumers.length > 0) {
    problems.push([t("eventsGivenUp", { names: failedConsumers.map(({ name }) => name).join(", ") }), ""]);
  }
  return problems;
}

/** Show what is wrong, or that all is well; `isEmpty`: no account has ever logged in, so there is nothing to be well. */
function showVerdict(element, problems, { isEmpty }) {
  const hasBegun = problems.length > 0 || !isEmpty;
  set(element, "class", problems.length > 0 || isEmpty ? "notice" : "verdict");
  fill(
    element,
    h("strong", {}, problems.length > 0 ? t("needsAttention") : t(isEmpty ? "noLoginYet" : "allWell")),
    !hasBegun && [" ", h("a", { href: addressOf(firstSteps.isShown ? "start" : "accounts") }, t("toFirstStep"))],
    problems.length > 0 &&
      h(
        "ul",
        {},
        problems.map(([words, address]) => h("li", {}, address ? h("a", { href: address }, words) : words)),
      ),
  );
}

// -- the charts ------------------------------------------------------------------------------------------------------

/** Draw what happens, again after each event and after each reading. Returns {element, read(), leave()}. */
function activityCharts() {
  const list = h("ul", { class: "charts" });
  const element = h("section", {}, h("h3", { class: "part-title" }, t("activity")), list);
  const drawSoon = soon(draw);
  const ends = ["event", "send.changed"].map((kind) => live.on(kind, drawSoon));
  let timer = 0;

  function draw() {
    const now = Date.now();
    fill(
      list,
      activity(now).map((each) => chart(each, now)),
    );
  }

  async function read() {
    clearTimeout(timer);
    timer = setTimeout(readAgain, READ);
    await readActivity();
    draw();
  }

  async function readAgain() {
    try {
      if (document.hidden) timer = setTimeout(readAgain, READ);
      else await read();
    } catch (error) {
      if (!(error instanceof Problem || error instanceof TypeError)) throw error;
    } // the bar shows that the gateway does not answer; the charts go on when it does
  }

  function leave() {
    clearTimeout(timer);
    for (const end of ends) end();
  }

  return { element, read, leave };
}

function chart({ name, last, points, failed = 0 }, now) {
  const words = { received: "inMinute", sent: "inMinute", deliveries: failed ? "inMinuteFailed" : "inMinute" }[name];
  const value = words ? t(words, { n: last, failed }) : String(last);
  const values = points.map((point) => point.value);
  const course = t("course", { value, least: Math.min(...values), most: Math.max(...values) });
  return sparkline({ title: t(`activity_${name}`), value, course, points, from: now - SPAN, to: now, isBad: failed > 0 });
}

// -- accounts --------------------------------------------------------------------------------------------------------

function accountTable() {
  const list = table({
    label: t("accounts"),
    columns: [
      { title: t("account"), cell: ({ account }) => accountName(account) },
      { title: t("state"), cell: stateOf },
      { title: t("lastSync"), cell: lastSync, kind: "is-narrow" },
      { title: t("sends"), cell: ({ state }) => sendsOf(state) },
      { title: t("limits"), cell: ({ state }) => state.rate_limit && rateLimit(state.rate_limit) },
    ],
    key: ({ account }) => account.number,
    none: () => empty("device", t("noAccounts"), t("noAccountsHint")),
  });
  const element = h("section", {}, h("h3", { class: "part-title" }, t("accounts")), list.element);
  return { element, show: list.show };
}

function stateOf({ account, state }) {
  return [
    h(
      "div",
      { class: "state" },
      h("span", { class: isOnline(account) ? "dot is-on" : "dot" }),
      h("span", {}, t(account.state)),
      h("span", { class: "hint" }, ago(account.since)),
    ),
    account.error && h("div", { class: "hint" }, explainedText(account.error, account.error_code)),
    !state.is_journal_readable && hasJournal(account) && h("div", { class: "is-bad" }, t("journalBroken")),
  ];
}

function lastSync({ state }) {
  const age = state.sync_age_seconds;
  return age === null ? t("notSynced") : ago(new Date(Date.now() - age * 1000).toISOString());
}

function sendsOf({ sends, waiting_calls: waiting }) {
  const counts = Object.entries(sends);
  if (counts.length === 0 && waiting === 0) return t("noSends");
  return h(
    "div",
    { class: "line", role: "group", "aria-label": t("sends") },
    counts.map(([name, n]) => h("span", { class: BAD.includes(name) ? "pill is-bad" : "pill" }, t(`state_${name}`, { n }))),
    waiting > 0 && h("span", { class: "pill" }, t("callsWait", { n: waiting })),
  );
}

function rateLimit(limit) {
  const wait = limit.wait_seconds > 0 ? t("mayWait", { time: duration(limit.wait_seconds) }) : t("maySend");
  return [
    h("div", { class: "hint" }, wait),
    limit.paused_until && h("div", { class: "hint" }, t("paused"), " ", ago(limit.paused_until)),
    h(
      "ul",
      { class: "meters" },
      limit.actions.filter(({ kind, used }) => used > 0 || kind === "messages").map(({ kind, used, most }) =>
        h(
          "li",
          {},
          h("span", { class: "hint" }, t(kind)),
          h("meter", { min: "0", max: most, high: most * 0.8, value: used, "aria-label": t(kind) }),
          h("span", { class: "hint" }, t("of", { used, most })),
        ),
      ),
    ),
  ];
}

// -- consumers -------------------------------------------------------------------------------------------------------

/** Return how much a consumer is behind; one that has given events up is behind all others. */
function behind({ consumer }) {
  return consumer.dead_letters > 0 ? Infinity : consumer.waiting;
}

function consumerTable() {
  let names = null; // of the consumers
  const list = table({
    label: t("consumers"),
    columns: [
      { title: t("consumer"), cell: ({ consumer }) => names.cellOf(consumer.name) },
      { title: t("account"), cell: ({ account }) => accountName(account) },
      { title: t("waiting"), cell: ({ consumer }) => String(consumer.waiting), kind: "is-narrow" },
      { title: t("deadLetters"), cell: ({ consumer }) => String(consumer.dead_letters), kind: "is-narrow" },
    ],
    key: ({ account, consumer }) => `${account.number}/${consumer.name}`,
    none: () => empty("wire", t("noConsumers"), t("consumersHint")),
  });
  const element = h(
    "section",
    {},
    h("h3", { class: "part-title" }, t("consumers")),
    h("p", { class: "hint" }, t("consumersHint")),
    list.element,
  );

  /** Read the consumers of these accounts; return those that have dead letters, each {consumer, name}. */
  async function refresh(accounts) {
    const found = await fewAtATime(accounts, async (account) => {
      const { consumers } = await call("GET", `/accounts/${account.number}/consumers`);
      return consumers.map((consumer) => ({ account, consumer }));
    });
    const all = found.flat().sort((one, other) => behind(other) - behind(one));
    names = await readConsumerNames(all.map(({ consumer }) => consumer.name));
    list.show(all);
    const failed = new Set(all.filter(({ consumer }) => consumer.dead_letters > 0).map(({ consumer }) => consumer.name));
    return [...failed].map((consumer) => ({ consumer, name: names.nameOf(consumer) }));
  }

  return { element, refresh };
}
