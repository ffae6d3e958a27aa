// The menu of an element: by the right mouse button, by a long press, and by the menu key or Shift and F10.

const HOLD = 500;
const SLACK = 10; // pixels that a finger may move

/** Call `open(point)` when the menu of an element is asked for; `point` is {x, y}, or null for a key. */
export function onContextMenu(element, open) {
  let timer = 0;
  let from = null;

  const end = () => clearTimeout(timer);

  element.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    end();
    // A long press has opened it already; a key without a pointer has no place.
    if (!document.querySelector(".menu")) open(event.pointerType ? { x: event.clientX, y: event.clientY } : null);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "ContextMenu" && !(event.key === "F10" && event.shiftKey)) return;
    event.preventDefault();
    event.stopPropagation();
    open(null);
  });
  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") return;
    from = { x: event.clientX, y: event.clientY };
    end();
    timer = setTimeout(() => {
      // The end of the press is no click.
      const stop = (click) => {
        click.preventDefault();
        click.stopPropagation();
      };
      element.addEventListener("click", stop, { capture: true, once: true });
      document.addEventListener("pointerdown", () => element.removeEventListener("click", stop, true), { once: true });
      open(from);
    }, HOLD);
  });
  element.addEventListener("pointermove", (event) => {
    if (from && Math.hypot(event.clientX - from.x, event.clientY - from.y) > SLACK) end();
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) element.addEventListener(name, end);
}
