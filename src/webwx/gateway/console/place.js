// The place in the console: a screen, and what it shows. It is the fragment of the address, such as `#/chats/1/filehelper`,
// so that a reload shows it again and the button Back of the browser works.

/** Return the name of the screen in the address, and the parts after it. */
export function place() {
  const [name = "", ...parts] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  return { name, parts: parts.filter(Boolean) };
}

/** Return the address of a screen, with parts for what it shows. */
export function addressOf(name, ...parts) {
  return `#/${[name, ...parts].map((part) => encodeURIComponent(part)).join("/")}`;
}

/** Go to a screen, as a link does. */
export function go(name, ...parts) {
  location.hash = addressOf(name, ...parts);
}

/** Write the place into the address, without an entry in the history of the browser. */
export function note(name, ...parts) {
  history.replaceState(null, "", addressOf(name, ...parts));
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // an incomplete escape, typed by hand
  }
}
