// The panel of faults: the catalogue, the active faults, and the seed of the random numbers.

import { attempt, say } from "./attempts.js";
import { act } from "./control.js";
import { button, fill, h, set, soon } from "./dom.js";
import { MEANINGS, SECTIONS } from "./fault-words.js";
import { language, onLanguage } from "./language.js";
import { empty } from "./overlays.js";
import { addWords, t } from "./words.js";

addWords({
  faults: ["Faults", "故障"],
  faultFilter: ["Search faults", "搜索故障"],
  seed: ["Seed", "种子"],
  seedHint: ["With the same seed, the same requests meet the same faults.", "种子相同，同样的请求会遇到同样的故障。"],
  setSeed: ["Set", "设定"],
  newSeed: ["New seed", "换一个"],
  seeded: ["The seed is {n}.", "种子是 {n}。"],
  resetFaults: ["Reset", "全部复位"],
  allOff: ["All faults are off.", "所有故障都已关闭。"],
  onNow: ["On now", "正在生效"],
  comingNext: ["Next in the script", "脚本接下来"],
  noneOn: ["No fault is on.", "没有生效的故障。"],
  notHit: ["not hit yet", "尚未发生"],
  hitTimes: ["hit {n} times", "已发生 {n} 次"],
  hitOf: ["hit {n} of {all} times", "已发生 {n} / {all} 次"],
  likely: ["probability {p}", "概率 {p}"],
  switchOn: ["Switch on", "开启"],
  switchOff: ["Switch off", "关闭"],
  switchOffThis: ["Switch off {name}, #{n}", "关闭 {name}（#{n}）"],
  howOften: ["How many times", "次数"],
  always: ["no limit", "不限"],
  forCall: ["Call", "接口"],
  meantFor: ["any call", "所有接口"],
  probability: ["Probability", "概率"],
  optionsOf: ["Options of {name}", "{name} 的选项"],
  atAnswer: ["answer", "应答"],
  atConnection: ["connection", "连接"],
  atTLS: ["TLS", "TLS"],
});

const PLACES = { answer: "atAnswer", connection: "atConnection", TLS: "atTLS" };

export const faultsPanel = {
  id: "faults",
  picture: "faults",
  words: "faults",
  mount(element, { live }) {
    const panel = new Panel();
    element.append(panel.element);
    const open = () => live.say("faults", { open: true });
    live.on("fault-catalogue", ({ catalogue, calls }) => panel.offer(catalogue, calls));
    live.on("faults", (state) => panel.hear(state));
    live.addEventListener("opened", open);
    onLanguage(() => panel.rename());
    open();
  },
};

class Panel {
  #catalogue = [];
  #calls = [];
  #state = { seed: 0, active: [], script: [], hits: {} };
  #items = new Map();
  #draw = soon(() => this.#show());

  constructor() {
    this.search = h("input", { class: "input", type: "search", on: { input: () => this.#filter() } });
    this.seed = h("input", { class: "input seed", type: "number", id: "fault-seed", min: "0", step: "1" });
    this.seedLabel = h("label", { for: "fault-seed" });
    this.setSeed = h("button", { type: "submit", class: "button is-small" });
    this.newSeed = button("", () => this.#reseed(null), { kind: "is-small" });
    this.reset = button("", () => attempt(() => act("faults/reset", {})).then((isDone) => isDone && say(t("allOff"))), {
      kind: "is-small",
    });
    this.hint = h("p", { class: "hint" });
    const form = h(
      "form",
      { class: "tool-row" },
      this.seedLabel,
      this.seed,
      this.setSeed,
      this.newSeed,
      h("span", { class: "stretch" }),
      this.reset,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (Number.isInteger(this.seed.valueAsNumber)) this.#reseed(this.seed.valueAsNumber);
    });
    this.on = h("section", { class: "faults-on" });
    this.sections = h("div", { class: "fault-catalogue" });
    this.nothing = h("div", { class: "tool-quiet" });
    this.element = h(
      "div",
      { class: "tool faults" },
      h("div", { class: "tool-bar" }, form, this.hint, this.search),
      h("div", { class: "tool-body" }, this.on, this.sections, this.nothing),
    );
    this.rename();
  }

  /** Store the catalogue, and the calls that a fault can have. */
  offer(catalogue, calls) {
    this.#catalogue = catalogue;
    this.#calls = calls;
    this.rename();
  }

  /** Store the active faults and the counts. */
  hear(state) {
    this.#state = state;
    this.#draw();
  }

  rename() {
    fill(this.seedLabel, t("seed"));
    fill(this.setSeed, t("setSeed"));
    fill(this.newSeed, t("newSeed"));
    fill(this.reset, t("resetFaults"));
    fill(this.hint, t("seedHint"));
    set(this.search, "placeholder", t("faultFilter"));
    set(this.search, "aria-label", t("faultFilter"));
    this.#items = new Map(this.#catalogue.map((fault) => [fault.name, new Item(fault, this.#calls, () => this.#state)]));
    const sections = Map.groupBy(this.#catalogue, (fault) => fault.section);
    fill(
      this.sections,
      [...sections].map(([name, faults]) =>
        h(
          "section",
          { class: "fault-section" },
          h("h3", { class: "section-title" }, language() === "zh" ? (SECTIONS[name] ?? name) : name),
          faults.map((fault) => this.#items.get(fault.name).element),
        ),
      ),
    );
    this.#filter();
    this.#show();
  }

  #reseed(seed) {
    attempt(async () => {
      const answer = await act("faults/seed", { seed });
      say(t("seeded", { n: answer.seed }));
    });
  }

  #filter() {
    const wanted = this.search.value.trim().toLowerCase();
    for (const [name, item] of this.#items)
      item.element.hidden = !`${name} ${name.replaceAll("_", " ")} ${item.meaning}`.toLowerCase().includes(wanted);
    for (const section of this.sections.children)
      section.hidden = ![...section.querySelectorAll(".fault")].some((each) => !each.hidden);
    this.nothing.hidden = [...this.sections.children].some((each) => !each.hidden);
    fill(this.nothing, empty("search", t("nothingFound"), ""));
  }

  #show() {
    const { seed, active, script } = this.#state;
    if (document.activeElement !== this.seed) this.seed.value = String(seed);
    const focused = this.on.contains(document.activeElement);
    fill(
      this.on,
      h("h3", { class: "section-title" }, t("onNow")),
      active.length ? h("ul", { class: "rules" }, active.map(rule)) : h("p", { class: "faint" }, t("noneOn")),
      script.length > 0 && [
        h("h3", { class: "section-title" }, t("comingNext")),
        h("ol", { class: "rules" }, script.map(rule)),
      ],
    );
    if (focused) (this.on.querySelector("button") ?? this.search).focus();
    for (const item of this.#items.values()) item.show();
  }
}

function rule(each) {
  const options = Object.entries(each.options).map(([name, value]) => `${name}=${value}`);
  const hits = t(each.hits ? "hitTimes" : "notHit", { n: each.hits });
  const count = each.times === null ? hits : t("hitOf", { n: each.hits, all: each.times });
  const facts = [...options, each.endpoint, each.probability < 1 && t("likely", { p: each.probability }), count].filter(
    Boolean,
  );
  return h(
    "li",
    { class: "rule", "data-fault": each.fault },
    h("span", { class: "rule-what" }, h("code", {}, each.fault), h("span", { class: "faint" }, facts.join(" · "))),
    button(t("switchOff"), () => attempt(() => act("faults/take-off", { number: each.number })), {
      kind: "is-small",
      "aria-label": t("switchOffThis", { name: each.fault, n: each.number }),
    }),
  );
}

/** One row of the catalogue: the effect of the fault, whether it is active, and its options after its name. */
class Item {
  #fault;
  #calls;
  #state;

  constructor(fault, calls, state) {
    this.#fault = fault;
    this.#calls = calls;
    this.#state = state;
    const id = `fault-${fault.name}`;
    this.meaning = (language() === "zh" && MEANINGS[fault.name]) || fault.does;
    this.hits = h("span", { class: "fault-hits" }); // in the page once there are any
    this.toggle = h(
      "button",
      {
        type: "button",
        class: "switch is-bare",
        role: "switch",
        "aria-label": fault.name,
        "aria-describedby": id,
        on: { click: () => this.#onOrOff() },
      },
      h("span", { class: "switch-track", "aria-hidden": "true" }),
    );
    this.form = h("form", { class: "fault-form", hidden: true }); // its fields are made once they are needed
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#switchOn();
    });
    this.opener = h(
      "button",
      {
        type: "button",
        class: "fault-name",
        "aria-expanded": "false",
        "aria-label": t("optionsOf", { name: fault.name }),
        on: { click: () => this.#openOrClose() },
      },
      fault.name,
    );
    this.element = h(
      "article",
      { class: "fault", "data-fault": fault.name },
      h(
        "div",
        { class: "fault-line" },
        this.opener,
        h("span", { class: "fault-tag is-quiet" }, t(PLACES[fault.where])),
        this.toggle,
      ),
      h("p", { class: "fault-does", id }, inCode(this.meaning)),
    );
    this.show();
  }

  /** Show whether it is active, and how often it happened. */
  show() {
    const { active, hits } = this.#state();
    const count = hits[this.#fault.name] ?? 0;
    set(this.toggle, "aria-checked", String(active.some((each) => each.fault === this.#fault.name)));
    fill(this.hits, `×${count}`);
    set(this.hits, "aria-label", t("hitTimes", { n: count }));
    if (!count) this.hits.remove();
    else if (!this.hits.isConnected) this.opener.after(this.hits);
  }

  #makeFields() {
    if (this.form.children.length) return;
    const submit = h("button", { type: "submit", class: "button is-main is-small" }, t("switchOn"));
    this.form.append(...this.#fields(), submit);
    this.element.append(this.form);
  }

  #fields() {
    const { name, calls, options } = this.#fault;
    const calling = h(
      "select",
      { class: "input", name: "endpoint" },
      h("option", { value: "" }, t("meantFor")),
      (calls.length ? calls : this.#calls).map((call) => h("option", { value: call }, call)),
    );
    const fields = [
      [
        t("howOften"),
        h("input", { class: "input", name: "times", type: "number", min: "1", step: "1", placeholder: t("always") }),
      ],
      [t("forCall"), calling],
      [
        t("probability"),
        h("input", {
          class: "input",
          name: "probability",
          type: "number",
          min: "0.01",
          max: "1",
          step: "any",
          value: "1",
        }),
      ],
      ...Object.entries(options).map(([option, value]) => [
        option,
        h("input", {
          class: "input",
          name: `option-${option}`,
          type: "text",
          value: String(value),
          autocomplete: "off",
        }),
      ]),
    ];
    return fields.map(([words, input]) => {
      input.id = `${name}-${input.name}`;
      return h("div", { class: "fault-field" }, h("label", { for: input.id }, words), input);
    });
  }

  #openOrClose() {
    this.#makeFields();
    this.form.hidden = !this.form.hidden;
    set(this.opener, "aria-expanded", String(!this.form.hidden));
    if (!this.form.hidden) this.form.querySelector("input").focus();
  }

  #onOrOff() {
    const rules = this.#state().active.filter((each) => each.fault === this.#fault.name);
    if (!rules.length) this.#switchOn();
    else attempt(() => Promise.all(rules.map((each) => act("faults/take-off", { number: each.number }))));
  }

  #switchOn() {
    this.#makeFields();
    const said = new FormData(this.form);
    const options = Object.fromEntries(
      Object.keys(this.#fault.options).map((option) => [option, said.get(`option-${option}`)]),
    );
    const times = Number(said.get("times")) || null;
    attempt(() =>
      act("faults", {
        fault: this.#fault.name,
        endpoint: said.get("endpoint"),
        times,
        probability: Number(said.get("probability")) || 1,
        options,
      }),
    );
  }
}

/** Text with `code` in it. */
function inCode(text) {
  return text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
}
