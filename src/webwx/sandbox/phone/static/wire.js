// The strip of the traffic: each request and its answer, with secrets redacted by the sandbox.

import { at } from "./addresses.js";
import { attempt } from "./attempts.js";
import { act, look } from "./control.js";
import { button, fill, h, icon, set, soon } from "./dom.js";
import { bytes, timeOfDay } from "./formats.js";
import { arrange } from "./keyed-list.js";
import { onLanguage } from "./language.js";
import { empty } from "./overlays.js";
import { addWords, t } from "./words.js";

addWords({
  wire: ["Traffic", "通信"],
  wireFilter: ["Filter: address, call, fault…", "筛选：地址、接口、故障…"],
  anyCall: ["Any call", "全部接口"],
  anyHost: ["Any host", "全部主机"],
  anyEnd: ["Any outcome", "全部结果"],
  endedWell: ["answered", "已应答"],
  endedBadly: ["failed", "失败"],
  stillOpen: ["waiting", "等待中"],
  noAnswer: ["no answer", "无应答"],
  resume: ["Continue ({n} new)", "继续（{n} 条新）"],
  wireQuiet: ["No requests yet", "还没有请求"],
  wireQuietHint: ["Let a client log in, and its requests appear here.", "让客户端登录，它的请求会显示在这里。"],
  exchanges: ["Requests and answers, the newest first", "请求与应答，最新的在前"],
  exchange: ["{call}, request #{n}", "{call}，请求 #{n}"],
  unknownCall: ["unknown", "未知"],
  explainCall: ["What {call} means, in a new tab", "{call} 的说明（新标签页）"],
  request: ["Request", "请求"],
  answer: ["Answer", "应答"],
  noBody: ["No body, or nothing to read", "没有可读的内容"],
  s: ["{n} s", "{n} 秒"],
  shownOf: ["{n} of {all}", "{n} / {all}"],
  earlierExchanges: ["Show {n} earlier", "再看更早的 {n} 条"],
  newestExchanges: ["Show the newest", "回到最新"],
});

const KEPT = 500;

/** Number of lines that are shown at a time. */
const MOST = 50;

export const wirePanel = {
  id: "wire",
  picture: "wire",
  words: "wire",
  mount(element, { live }) {
    const strip = new Strip();
    element.append(strip.element);
    const open = () => live.say("wire", { open: true });
    live.on("wire", (update) => strip.hear(update));
    live.addEventListener("opened", () => {
      strip.forget();
      open();
    });
    onLanguage(() => strip.rename());
    open();
  },
};

class Strip {
  #exchanges = new Map();
  #nodes = new Map();
  #waiting = null;
  #current = null;
  #next = 0; // number of the first request of the next part
  #from = Infinity; // number of the first request that is shown; the newest ones have the greatest
  #filter = { text: "", endpoint: "", host: "", end: "" };
  #draw = soon(() => this.#show());

  constructor() {
    this.text = h("input", {
      class: "input",
      type: "search",
      on: { input: () => this.#choose("text", this.text.value.trim().toLowerCase()) },
    });
    this.endpoint = this.#select("endpoint");
    this.host = this.#select("host");
    this.end = this.#select("end");
    this.pause = button("", () => this.#pauseOrGoOn(), { kind: "is-small" });
    this.clear = button("", () => attempt(() => act("wire/clear", {})), { kind: "is-small" });
    this.count = h("span", { class: "faint tool-count", role: "status" });
    this.quiet = h("div", { class: "tool-quiet" });
    this.list = h("ol", { class: "exchanges", on: { keydown: (event) => this.#press(event) } });
    this.newest = button("", () => this.#showFrom(Infinity), { kind: "is-quiet" });
    this.earlier = button("", () => this.#showFrom(this.#next), { kind: "is-quiet" });
    this.element = h(
      "div",
      { class: "tool wire" },
      h(
        "div",
        { class: "tool-bar" },
        this.text,
        h("div", { class: "tool-row" }, this.endpoint, this.host, this.end),
        h("div", { class: "tool-row" }, this.pause, this.clear, h("span", { class: "stretch" }), this.count),
      ),
      h(
        "div",
        { class: "tool-body" },
        this.quiet,
        h("div", { class: "exchanges-more" }, this.newest),
        this.list,
        h("div", { class: "exchanges-more" }, this.earlier),
      ),
    );
    this.rename();
  }

  /** Apply an update of the sandbox; while the strip is paused, store it. */
  hear(update) {
    if (this.#waiting) {
      this.#waiting.push(update);
      this.#labelPause();
      return;
    }
    for (const number of this.#exchanges.keys()) if (number <= update.forgotten) this.#exchanges.delete(number);
    for (const exchange of update.exchanges) {
      if (exchange.number > update.forgotten) this.#exchanges.set(exchange.number, exchange);
      this.#nodes.get(exchange.number)?.renew(exchange);
    }
    while (this.#exchanges.size > KEPT) this.#exchanges.delete(this.#exchanges.keys().next().value);
    this.#draw();
  }

  forget() {
    this.#exchanges.clear();
    if (this.#waiting) this.#waiting = [];
    this.#draw();
  }

  /** Set all texts in the present language. */
  rename() {
    set(this.text, "placeholder", t("wireFilter"));
    set(this.text, "aria-label", t("wireFilter"));
    set(this.list, "aria-label", t("exchanges"));
    fill(this.clear, t("clear"));
    fill(this.newest, t("newestExchanges"));
    this.#labelPause();
    for (const node of this.#nodes.values()) node.rename();
    this.#show();
  }

  #select(name) {
    return h("select", { class: "input", on: { change: (event) => this.#choose(name, event.target.value) } });
  }

  #choose(name, value) {
    this.#filter[name] = value;
    this.#from = Infinity;
    this.#show();
  }

  /** Show the lines from a request on, and move the focus to the first of them. */
  #showFrom(number) {
    this.#from = number;
    this.#show();
    this.#go(Number(this.list.firstElementChild.dataset.number));
    this.#current.toggle.focus();
    this.list.parentElement.scrollTop = 0;
  }

  #pauseOrGoOn() {
    const waiting = this.#waiting;
    this.#waiting = waiting ? null : [];
    for (const update of waiting ?? []) this.hear(update);
    this.#labelPause();
  }

  #labelPause() {
    const numbers = new Set((this.#waiting ?? []).flatMap((update) => update.exchanges.map((each) => each.number)));
    fill(this.pause, this.#waiting ? t("resume", { n: numbers.size }) : t("pause"));
    set(this.pause, "aria-pressed", String(Boolean(this.#waiting)));
  }

  #show() {
    const all = [...this.#exchanges.values()].sort((one, other) => other.number - one.number);
    offer(this.endpoint, t("anyCall"), [...new Set(all.map(callOf))].sort());
    offer(this.host, t("anyHost"), [...new Set(all.map((each) => each.host))].sort());
    offer(this.end, t("anyEnd"), ["open", "good", "bad"], {
      open: t("stillOpen"),
      good: t("endedWell"),
      bad: t("endedBadly"),
    });
    const found = all.filter((each) => this.#isWanted(each));
    const shown = this.#partOf(found);
    const wanted = new Set(shown.map((each) => each.number));
    for (const number of this.#nodes.keys()) if (!wanted.has(number)) this.#nodes.delete(number);
    for (const exchange of shown) {
      if (!this.#nodes.has(exchange.number)) this.#nodes.set(exchange.number, new Row(exchange));
    }
    arrange(
      this.list,
      shown.map(({ number }) => this.#nodes.get(number).element),
    );
    if (!this.#current?.element.isConnected && shown.length) this.#go(shown[0].number);
    fill(
      this.quiet,
      all.length ? empty("search", t("nothingFound"), "") : empty("wire", t("wireQuiet"), t("wireQuietHint")),
    );
    this.quiet.hidden = shown.length > 0;
    fill(this.count, all.length ? t("shownOf", { n: found.length, all: all.length }) : "");
  }

  /** Return the part of the requests that is shown, and offer the others. */
  #partOf(found) {
    const at = Math.max(0, found.findIndex(({ number }) => number <= this.#from));
    const rest = found.slice(at + MOST);
    this.#next = rest[0]?.number;
    this.newest.parentElement.hidden = at === 0;
    this.earlier.parentElement.hidden = !rest.length;
    fill(this.earlier, t("earlierExchanges", { n: Math.min(MOST, rest.length) }));
    return found.slice(at, at + MOST);
  }

  #isWanted(exchange) {
    const { text, endpoint, host, end } = this.#filter;
    return (
      (!endpoint || endpoint === callOf(exchange)) &&
      (!host || host === exchange.host) &&
      (!end || end === endOf(exchange)) &&
      (!text ||
        [
          exchange.endpoint,
          exchange.method,
          exchange.host,
          exchange.address,
          exchange.status,
          `ret ${exchange.ret}`,
          ...exchange.faults,
        ]
          .join(" ")
          .toLowerCase()
          .includes(text))
    );
  }

  /** Arrows, Home and End move between rows. */
  #press(event) {
    const rows = [...this.list.children];
    const at = rows.indexOf(event.target.closest(".exchange"));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (event.target.closest("pre") || !rows[to]) return;
    event.preventDefault();
    this.#go(Number(rows[to].dataset.number));
    this.#current.toggle.focus();
  }

  /** Only one row can have the focus by Tab, so that Tab passes the list in a few steps. */
  #go(number) {
    this.#current?.setCurrent(false);
    this.#current = this.#nodes.get(number);
    this.#current.setCurrent(true);
  }
}

/** One exchange in the strip: a line, and its details once it is opened. */
class Row {
  #exchange;
  #detail = null;
  #isCurrent = false;

  constructor(exchange) {
    this.toggle = h(
      "button",
      { type: "button", class: "exchange-toggle", "aria-expanded": "false", tabindex: "-1" },
      icon("down"),
    );
    this.said = h("div", { class: "exchange-said" });
    this.line = h(
      "div",
      { class: "exchange-line", on: { click: (event) => event.target.closest("a") || this.#openOrClose() } },
      this.toggle,
      this.said,
    );
    this.element = h("li", { class: "exchange" }, this.line);
    this.renew(exchange);
  }

  /** Include this row in the Tab order, or exclude it. */
  setCurrent(is) {
    this.#isCurrent = is;
    for (const each of this.line.querySelectorAll("button, a")) set(each, "tabindex", is ? "0" : "-1");
  }

  /** Show the changes. */
  renew(exchange) {
    this.#exchange = exchange;
    this.rename();
  }

  /** Set the texts in the present language. */
  rename() {
    const exchange = this.#exchange;
    const call = callOf(exchange);
    set(this.toggle, "aria-label", t("exchange", { call, n: exchange.number }));
    set(this.element, "data-end", endOf(exchange));
    set(this.element, "data-number", String(exchange.number));
    fill(
      this.said,
      h("span", { class: "exchange-name" }, nameOf(exchange)),
      h("span", { class: "exchange-end" }, endWords(exchange)),
      h(
        "span",
        { class: "exchange-facts" },
        [
          timeOfDay(exchange.time, true),
          !exchange.is_open && spent(exchange.seconds),
          exchange.host,
          `${bytes(exchange.sent)} → ${bytes(exchange.received)}`,
        ]
          .filter(Boolean)
          .join(" · "),
      ),
      exchange.faults.map((fault) => h("span", { class: "fault-tag" }, fault)),
    );
    this.setCurrent(this.#isCurrent);
    if (this.#detail) this.#load();
  }

  #openOrClose() {
    if (this.#detail) {
      this.#detail.remove();
      this.#detail = null;
    } else {
      this.#detail = h("div", { class: "exchange-detail" });
      this.element.append(this.#detail);
      this.#load();
    }
    set(this.toggle, "aria-expanded", String(Boolean(this.#detail)));
  }

  #load() {
    const into = this.#detail;
    attempt(async () => {
      const all = await look(`wire/exchange?number=${this.#exchange.number}`);
      fill(
        into,
        h("p", { class: "exchange-address" }, `${all.method} ${all.host}${all.address}`),
        half(t("request"), all.request_headers, all.request_body),
        half(t("answer"), all.answer_headers, all.answer_body),
      );
    });
  }
}

function half(title, headers, body) {
  return [
    h("h3", {}, title),
    headers.length > 0 &&
      h(
        "table",
        { class: "headers" },
        headers.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))),
      ),
    body ? h("pre", { tabindex: "0" }, body) : h("p", { class: "faint" }, t("noBody")),
  ];
}

/** The name of a call links to its description. */
function nameOf(exchange) {
  const call = exchange.endpoint;
  if (!call) return `${t("unknownCall")}: ${exchange.method} ${exchange.address}`;
  return h(
    "a",
    { href: at(`phone/wire#${call}`), target: "_blank", rel: "noopener", title: t("explainCall", { call }) },
    call,
  );
}

function callOf(exchange) {
  return exchange.endpoint || t("unknownCall");
}

/** Return codes that mean success for any call. */
const WELL = new Set([null, 0, 200, 201, 408]);

function endOf(exchange) {
  if (exchange.is_open) return "open";
  return exchange.status !== null && exchange.status < 400 && WELL.has(exchange.ret) && !exchange.faults.length
    ? "good"
    : "bad";
}

function endWords(exchange) {
  if (exchange.is_open) return t("stillOpen");
  if (exchange.status === null) return t("noAnswer");
  return exchange.ret === null ? String(exchange.status) : `${exchange.status} · ret ${exchange.ret}`;
}

function spent(seconds) {
  return seconds < 1 ? t("ms", { n: Math.round(seconds * 1000) }) : t("s", { n: seconds.toFixed(1) });
}

/** Offer these values in a list, and keep the selected one. */
function offer(select, any, values, words = {}) {
  const chosen = select.value;
  if (chosen && !values.includes(chosen)) values = [...values, chosen];
  const wanted = [["", any], ...values.map((value) => [value, words[value] ?? value])];
  if (JSON.stringify(wanted) !== select.dataset.offered) {
    select.dataset.offered = JSON.stringify(wanted);
    fill(
      select,
      wanted.map(([value, label]) => h("option", { value }, label)),
    );
    select.value = chosen;
  }
  set(select, "aria-label", any);
}
