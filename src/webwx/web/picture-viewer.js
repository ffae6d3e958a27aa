// Pictures over the whole page: one picture of a chat, the ones before and after it, at the size of the window or at its
// own.

import { button, fill, h, icon, iconButton, set } from "./dom.js";
import { t } from "./shared-words.js";

const shown = new WeakMap(); // what the viewer shows for a button

/**
 * Make the button around the small picture of a message, which opens the viewer. `words` describe the picture, `load(img)`
 * sets the address of a picture, `save(link)` that of its download; `actions` are {words, picture, act}, and a text that
 * `act()` returns is shown.
 */
export function pictureButton(small, { words, load, save, actions = [] }) {
  const element = h(
    "button",
    { type: "button", class: "photo-link", "aria-haspopup": "dialog", on: { click: () => open(element) } },
    small,
  );
  shown.set(element, { words, load, save, actions });
  return element;
}

/** Show the picture of a button; the others are those of the same chat, as far as it was read. */
function open(first) {
  const all = [...(first.closest("[role=log]") ?? first.parentElement).querySelectorAll(".photo-link")];
  const others = all.filter((each) => shown.has(each));
  let at = others.indexOf(first);
  let isFull = false;

  const caption = h("p", { class: "viewer-caption", role: "status" });
  const stage = h("div", { class: "viewer-stage", tabindex: "0", role: "group", autofocus: true });
  const before = iconButton("back", t("previousPicture"), () => show(at - 1), { class: "icon-button viewer-move is-before" });
  const after = iconButton("back", t("nextPicture"), () => show(at + 1), { class: "icon-button viewer-move is-after" });
  const zoom = button("", () => setFull(!isFull), { kind: "is-small" });
  const doings = h("span", { class: "buttons" });
  const element = h(
    "dialog",
    { class: "viewer", "aria-label": t("pictures"), on: { keydown: press, close: () => element.remove() } },
    h(
      "div",
      { class: "viewer-head" },
      caption,
      h("span", { class: "stretch" }),
      zoom,
      doings,
      iconButton("close", t("close"), () => element.close()),
    ),
    h("div", { class: "viewer-box" }, stage, before, after),
  );

  function show(index) {
    if (!others[index]) return;
    at = index;
    const { words, load, save, actions } = shown.get(others[at]);
    const picture = h("img", { class: "viewer-picture", alt: words });
    picture.addEventListener("error", () => fill(stage, h("p", { class: "quiet" }, t("noPicture"))));
    picture.addEventListener("click", () => setFull(!isFull));
    load(picture);
    const saving = h("a", { class: "button is-small", download: "" }, icon("down"), t("savePicture"));
    save(saving);
    fill(stage, picture);
    fill(doings, saving, actions.map((action) => doingButton(action)));
    set(stage, "aria-label", words);
    tell([words, others.length > 1 && t("pictureCount", { n: at + 1, all: others.length })].filter(Boolean).join(" · "));
    // A disabled button loses the focus.
    const hadFocus = document.activeElement;
    before.disabled = at === 0;
    after.disabled = at === others.length - 1;
    if (hadFocus?.disabled) stage.focus();
    setFull(false);
  }

  function doingButton({ words, picture, act }) {
    const made = button(
      words,
      async () => {
        made.disabled = true;
        const said = await act();
        made.disabled = false;
        if (said) tell(said);
        if (document.activeElement === document.body) made.focus();
      },
      { picture, kind: "is-small" },
    );
    return made;
  }

  function tell(words) {
    fill(caption, words);
  }

  /** Show the picture at its own size, or at that of the window. */
  function setFull(wanted) {
    isFull = wanted;
    stage.classList.toggle("is-full", isFull);
    fill(zoom, isFull ? t("fitPicture") : t("fullPicture"));
  }

  function press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: others.length - 1 };
    if (event.key in moves && !isFull) {
      event.preventDefault();
      show(moves[event.key]);
    } else if (event.key === "+" || event.key === "-") {
      setFull(event.key === "+");
    } else if (event.key === "Enter" && event.target === stage) {
      setFull(!isFull);
    }
  }

  document.body.append(element);
  show(at);
  element.showModal();
  stage.focus();
}
