// The screen of the programs that use accounts in other protocols: a switch, a token, what is open, and configurations.

import { adapterName } from "./adapter-words.js";
import { call, GATEWAY, Problem } from "./api.js";
import { attention } from "./attention.js";
import { confirm, deleteButton } from "./confirm.js";
import { copyable } from "./copyable.js";
import { button, fill, h } from "./dom.js";
import { resultPanel } from "./forms.js";
import { arrange } from "./keyed-list.js";
import { empty } from "./overlays.js";
import { asksOwner, waitingSends } from "./owner-consent.js";
import { addressOf, go } from "./place.js";
import { openProgramForm } from "./program-form.js";
import { t } from "./programs-words.js";
import { explainedText, load } from "./states.js";
import { table } from "./table.js";
import { ago } from "./times.js";

export const programs = { name: "programs", picture: "program", title: () => t("programs"), open };

const TOKEN = "TOKEN";

function open(frame) {
  let view = null;

  function move([id]) {
    view?.leave?.();
    view = id ? oneProgram(frame, id) : allPrograms(frame);
  }

  move(frame.parts);
  return { move, leave: () => view.leave?.() };
}

/** Return the address of a program's adapter, and configurations for well-known programs with it and a token. */
async function configurations(program, token) {
  const { adapters } = await call("GET", "/adapters");
  const found = adapters.find((each) => each.name === program.adapter);
  const url = found?.url || GATEWAY;
  const texts = Object.entries(found?.configurations ?? {}).map(([name, text]) =>
    copyable(t("configuration", { program: name }), text.replaceAll("{url}", url).replaceAll("{token}", token)),
  );
  return found?.url ? [copyable(t("address"), url), ...texts] : texts;
}

/** Show the token of a program, which cannot be read later. */
async function showToken({ program, token }) {
  const texts = await configurations(program, token);
  resultPanel(t("createdTitle", { name: program.name }), t("createdHint"), [copyable(t("token"), token), texts]);
}

/** Return the chats of a list in words; people and chatrooms are numbers. */
function chatsInWords(chats) {
  const words = { filehelper: t("filehelper"), "*": t("everyChat") };
  return chats.map((chat) => words[chat] ?? chat).join(", ") || t("noChat");
}

function lastRequest(program) {
  return program.last_request_at ? ago(program.last_request_at) : t("noRequest");
}

function lastError(program) {
  return program.last_error && explainedText(program.last_error, program.last_error_code);
}

// -- the list --------------------------------------------------------------------------------------------------------

function allPrograms(frame) {
  const create = () =>
    frame.act(() =>
      openProgramForm(frame, null, (made) => {
        frame.act(refresh);
        frame.act(() => showToken(made));
      }),
    );
  const list = table({
    label: t("programs"),
    columns: [
      { title: t("name"), cell: (each) => h("a", { href: addressOf("programs", each.id) }, each.name) },
      { title: t("adapter"), cell: (each) => adapterName(each.adapter) },
      { title: t("state"), cell: (each) => (each.enabled ? t("on") : t("off")), kind: "is-narrow" },
      { title: t("open"), cell: (each) => String(each.peers.length), kind: "is-narrow" },
      { title: t("lastRequest"), cell: lastRequest },
      { title: t("lastError"), cell: lastError },
    ],
    key: (each) => each.id,
    none: () => empty("program", t("noPrograms"), t("noProgramsHint")),
  });
  const holder = h("div", { class: "parts" });
  fill(
    frame.body,
    h("p", { class: "hint" }, t("intro")),
    h("div", {}, button(t("newProgram"), create, { kind: "is-main", picture: "plus" })),
    holder,
  );

  async function refresh() {
    const { programs: all } = await call("GET", "/programs");
    list.show(all);
    arrange(holder, [list.element]);
  }

  frame.act(() => load(frame, holder, refresh));
  return {};
}

// -- one program -----------------------------------------------------------------------------------------------------

function oneProgram(frame, id) {
  const route = `/programs/${encodeURIComponent(id)}`;
  const holder = h("div", { class: "parts" });
  const questions = waitingSends(frame, () => attention.readSoon());
  fill(frame.body, h("a", { href: addressOf("programs") }, t("toList")), holder);

  async function show(program) {
    const texts = await configurations(program, TOKEN);
    await questions.show(program);
    const turn = button(program.enabled ? t("turnOff") : t("turnOn"), () =>
      frame.act(async () => show(await call("PATCH", route, { enabled: !program.enabled })), { by: turn }),
    );
    const peers = program.peers.map((each) =>
      h("li", {}, `${each.address}, ${each.agent || t("noAgent")}, `, ago(each.since)),
    );
    const card = h(
      "section",
      { class: "card" },
      h(
        "div",
        { class: "line" },
        h("h3", {}, program.name),
        h("span", { class: "tag", title: program.adapter }, adapterName(program.adapter)),
      ),
      h("p", { class: "hint" }, `${t("state")}${t("colon")}${program.enabled ? t("on") : t("off")}`),
      h("p", { class: "hint" }, `${t("see")}${t("colon")}${chatsInWords(program.see)}`),
      h("p", { class: "hint" }, `${t("write")}${t("colon")}${chatsInWords(program.write)}`),
      h("p", { class: "hint" }, `${t("lastRequest")}${t("colon")}`, lastRequest(program)),
      program.last_error && h("p", { class: "hint" }, `${t("lastError")}${t("colon")}`, lastError(program)),
      peers.length > 0 && h("p", { class: "hint" }, t("open")),
      peers.length > 0 && h("ul", {}, peers),
      h(
        "div",
        { class: "buttons" },
        turn,
        button(t("edit"), () => frame.act(() => openProgramForm(frame, program, (each) => frame.act(() => show(each))))),
        button(t("rotate"), () =>
          confirm(
            frame,
            { title: t("rotateTitle", { name: program.name }), hint: t("rotateHint"), words: t("rotate") },
            async () => showToken(await call("POST", `${route}/rotate`)),
          ),
        ),
        deleteButton(
          frame,
          { title: t("removeTitle", { name: program.name }), hint: t("removeHint"), words: t("remove") },
          route,
          () => go("programs"),
        ),
      ),
    );
    fill(
      holder,
      card,
      asksOwner(program) && questions.element,
      texts.length > 0 &&
        h(
          "section",
          {},
          h("h3", { class: "part-title" }, t("configurations")),
          h("p", { class: "hint" }, t("configurationsHint")),
          texts,
        ),
    );
  }

  async function begin() {
    try {
      await show(await call("GET", route));
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) throw error;
      fill(holder, empty("program", t("gone"), t("goneHint")));
    }
  }

  frame.act(() => load(frame, holder, begin));
  return { leave: questions.leave };
}
