// Patterns of types of events, as the gateway reads them.

/** Whether a pattern matches a type, or another pattern: `*` stands for any text, and the types below one belong to it. */
export function covers(pattern, type) {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}(?:\\..*)?$`).test(type);
}
