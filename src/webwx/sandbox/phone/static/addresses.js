// Addresses of the sandbox, from that of this file: a proxy may serve the sandbox below a path.

/** Return the address of a path of the sandbox, which begins without a slash. */
export function at(path) {
  return new URL(`../../${path}`, import.meta.url).href;
}
