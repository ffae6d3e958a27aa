// Small pictures of files of this machine. They are painted, because the content policy lets an element load an address of
// the own server only, and no file.

import { h } from "./dom.js";

/** Pixels of each side. */
const SIZE = 88;

/** Bytes of a picture above which it is not read only to show it small. */
const LARGEST = 32 * 1024 * 1024;

/** Return a small picture of a file; `otherwise` for a file that the browser cannot show. */
export function thumbnail(file, otherwise) {
  const holder = h("span", { class: "thumbnail", "aria-hidden": "true" }, otherwise);
  if (file.type?.startsWith("image/") && file.size <= LARGEST) paint(holder, file);
  return holder;
}

async function paint(holder, file) {
  try {
    const picture = await createImageBitmap(file);
    const side = Math.min(picture.width, picture.height);
    const [left, top] = [(picture.width - side) / 2, (picture.height - side) / 2];
    const canvas = h("canvas", { width: String(SIZE), height: String(SIZE) });
    canvas.getContext("2d").drawImage(picture, left, top, side, side, 0, 0, SIZE, SIZE);
    picture.close();
    holder.replaceChildren(canvas);
  } catch {
    // The browser cannot read it: its kind is shown instead.
  }
}
