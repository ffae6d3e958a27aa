// The screen of the receivers, "send to my phone": the list, and for each one its recipes, a test and a new address.

import { call, Problem } from "./api.js";
import { confirm, deleteButton } from "./confirm.js";
import { button, fill, h } from "./dom.js";
import { fallback } from "./fallback.js";
import { resultPanel } from "./forms.js";
import { arrange } from "./keyed-list.js";
import { empty } from "./overlays.js";
import { addressOf, go } from "./place.js";
import { openReceiverForm } from "./receiver-form.js";
import { recipes } from "./receiver-recipes.js";
import { t } from "./receivers-words.js";
import { load } from "./states.js";
import { table } from "./table.js";

export const receivers = { name: "receivers", picture: "bell", title: () => t("receivers"), open };

const TOKEN = "TOKEN";

function open(frame) {
  function move([id]) {
    if (id) oneReceiver(frame, id);
    else allReceivers(frame);
  }

  move(frame.parts);
  return { move };
}

/** Show the token of a receiver, which cannot be read later. */
function showAddress({ receiver, ...made }) {
  resultPanel(t("createdTitle", { name: receiver.name }), t("createdHint"), recipes(receiver.kind, made));
}

async function sendTest(frame, receiver) {
  const { waiting } = await call("POST", `/receivers/${encodeURIComponent(receiver.id)}/test`);
  frame.notify(waiting ? t("testWaits", { n: waiting }) : t("tested"));
}

function recipient(receiver) {
  return receiver.to === "filehelper" ? t("filehelper") : String(receiver.to);
}

// -- the list --------------------------------------------------------------------------------------------------------

function allReceivers(frame) {
  const create = () =>
    frame.act(() =>
      openReceiverForm(frame, null, (made) => {
        frame.act(refresh);
        showAddress(made);
      }),
    );
  const list = table({
    label: t("receivers"),
    columns: [
      { title: t("name"), cell: (each) => h("a", { href: addressOf("receivers", each.id) }, each.name) },
      { title: t("kind"), cell: (each) => t(`kind_${each.kind}`) },
      { title: t("to"), cell: recipient },
      { title: t("perMinute"), cell: (each) => String(each.messages_per_minute), kind: "is-narrow" },
      { title: t("waiting"), cell: (each) => String(each.waiting), kind: "is-narrow" },
      { title: t("actions"), cell: testButton, kind: "is-narrow" },
    ],
    key: (each) => each.id,
    none: () => empty("bell", t("noReceivers"), t("noReceiversHint")),
  });
  const holder = h("div", { class: "parts" });
  fill(
    frame.body,
    h("p", { class: "hint" }, t("intro")),
    h("div", {}, button(t("newReceiver"), create, { kind: "is-main", picture: "plus" })),
    holder,
  );

  function testButton(receiver) {
    const send = () => frame.act(() => sendTest(frame, receiver), { by: test });
    const test = button(t("test"), send, { kind: "is-small" });
    return test;
  }

  async function refresh() {
    const { receivers: all } = await call("GET", "/receivers");
    list.show(all);
    const whenLoginEnds = await fallback(frame);
    arrange(holder, [list.element, whenLoginEnds]);
  }

  frame.act(() => load(frame, holder, refresh));
}

// -- one receiver ----------------------------------------------------------------------------------------------------

function oneReceiver(frame, id) {
  const route = `/receivers/${encodeURIComponent(id)}`;
  const holder = h("div", { class: "parts" });
  fill(frame.body, h("a", { href: addressOf("receivers") }, t("toList")), holder);

  function show(receiver) {
    const send = () => frame.act(() => sendTest(frame, receiver), { by: test });
    const test = button(t("test"), send, { kind: "is-main" });
    const card = h(
      "section",
      { class: "card" },
      h("div", { class: "line" }, h("h3", {}, receiver.name), h("span", { class: "tag" }, t(`kind_${receiver.kind}`))),
      h("p", { class: "hint" }, `${t("to")}${t("colon")}${recipient(receiver)}`),
      h("p", { class: "hint" }, `${t("perMinuteOf", { n: receiver.messages_per_minute })}. ${t("perMinuteHint")}`),
      h("p", { class: "hint" }, receiver.holds ? t("heldHint") : t("refusedHint")),
      receiver.has_secret && h("p", { class: "hint" }, t("signed")),
      receiver.waiting > 0 && h("p", { class: "hint" }, `${t("waiting")}${t("colon")}${receiver.waiting}`),
      h(
        "div",
        { class: "buttons" },
        test,
        button(t("edit"), () => frame.act(() => openReceiverForm(frame, receiver, show))),
        button(t("rotate"), () =>
          confirm(
            frame,
            { title: t("rotateTitle", { name: receiver.name }), hint: t("rotateHint"), words: t("rotate") },
            async () => showAddress(await call("POST", `${route}/rotate`)),
          ),
        ),
        deleteButton(
          frame,
          { title: t("removeTitle", { name: receiver.name }), hint: t("removeHint"), words: t("remove") },
          route,
          () => go("receivers"),
        ),
      ),
    );
    const path = receiver.path.replace("{token}", TOKEN);
    const made = { token: TOKEN, path, hook: `/hooks/${receiver.kind}/${TOKEN}` };
    fill(
      holder,
      card,
      h(
        "section",
        {},
        h("h3", { class: "part-title" }, t("recipes")),
        h("p", { class: "hint" }, t("recipesHint")),
        recipes(receiver.kind, made),
      ),
    );
  }

  async function begin() {
    try {
      show(await call("GET", route));
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) throw error;
      fill(holder, empty("bell", t("gone"), t("goneHint")));
    }
  }

  frame.act(() => load(frame, holder, begin));
}
