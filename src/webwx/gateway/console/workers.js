// The screen of the workers: their leases, the owner of each account, and the drain of a worker.

import { call } from "./api.js";
import { confirm } from "./confirm.js";
import { button, fill, h } from "./dom.js";
import { duration } from "./formats.js";
import { arrange } from "./keyed-list.js";
import { empty } from "./overlays.js";
import { answersInOrder, load } from "./states.js";
import { table } from "./table.js";
import { ago } from "./times.js";
import { t } from "./workers-words.js";

export const workers = { name: "workers", picture: "program", title: () => t("workers"), open, isOfCluster: true };

/** Milliseconds after which the workers are read again. */
const LOOK_AGAIN = 5000;

const KINDS = { alive: "pill is-good", draining: "pill", dead: "pill is-bad" };

function open(frame) {
  const reading = answersInOrder();
  let timer = 0;
  let isOpen = true;

  const again = button(t("refresh"), () => frame.act(refresh, { by: again }), { picture: "retry" });
  const list = table({
    label: t("workers"),
    key: (worker) => worker.worker,
    none: () => empty("program", t("noWorkers"), t("noWorkersHint")),
    columns: [
      { title: t("worker"), cell: (worker) => h("code", {}, worker.worker) },
      { title: t("state"), kind: "is-narrow", cell: ({ state }) => h("span", { class: KINDS[state] }, t(state)) },
      { title: t("lease"), kind: "is-name", cell: lease },
      { title: t("load"), cell: ({ accounts, capacity }) => t("of", { n: accounts, most: capacity }) },
      { title: t("lag"), kind: "is-narrow", cell: ({ loop_lag_seconds: lag }) => t("seconds", { n: lag.toFixed(1) }) },
      { title: t("behind"), kind: "is-narrow", cell: ({ consumer_lag: events }) => t("events", { n: events }) },
      { title: t("failedBots"), kind: "is-narrow", cell: failedBots },
      { title: t("address"), cell: (worker) => worker.address },
      { title: t("actions"), cell: (worker) => worker.state === "alive" && drainButton(worker) },
    ],
  });
  const owners = table({
    label: t("owners"),
    key: (account) => account.account,
    none: () => empty("contacts", t("noAccounts"), t("noAccountsHint")),
    columns: [
      { title: t("account"), cell: (account) => account.name },
      { title: t("worker"), cell: owner },
      { title: t("epoch"), kind: "is-narrow", cell: ({ epoch }) => String(epoch) },
      { title: t("taken"), cell: (account) => ago(account.taken_at) },
    ],
  });
  const ofOwners = h("section", {}, h("h3", { class: "part-title" }, t("owners")), owners.element);
  const holder = h("div", { class: "parts" });
  fill(frame.body, h("p", { class: "hint" }, t("hint")), h("div", {}, again), holder);

  async function refresh() {
    clearTimeout(timer);
    const isLatest = reading();
    try {
      const cluster = await call("GET", "/cluster");
      if (!isOpen || !isLatest()) return;
      list.show(cluster.workers);
      owners.show(cluster.accounts);
      arrange(holder, [list.element, ofOwners]);
    } finally {
      clearTimeout(timer);
      if (isOpen) timer = setTimeout(() => frame.act(refresh, { isOfUser: false }), LOOK_AGAIN);
    }
  }

  function drainButton(worker) {
    const question = { title: t("drainTitle"), hint: t("drainHint", { n: worker.accounts }), words: t("drain") };
    return button(t("drain"), () => confirm(frame, question, () => drain(worker)));
  }

  async function drain(worker) {
    await call("POST", `/cluster/workers/${encodeURIComponent(worker.worker)}/drain`);
    frame.notify(t("drained"));
    await refresh();
  }

  frame.act(() => load(frame, holder, refresh));
  return {
    leave() {
      isOpen = false;
      clearTimeout(timer);
    },
  };
}

function lease({ lease_seconds: seconds, lease_age_seconds: age }) {
  const time = duration(Math.abs(seconds));
  const words = seconds > 0 ? t("leaseEnds", { time }) : t("leaseEnded", { time });
  return h("span", { title: t("leaseAge", { time: duration(age) }) }, words);
}

function failedBots({ failed_bots: count }) {
  return count ? h("span", { class: "pill is-bad" }, String(count)) : "0";
}

function owner({ worker, is_wanted: isWanted }) {
  if (worker) return h("code", {}, worker);
  return t(isWanted ? "noOwner" : "loggedOut");
}
