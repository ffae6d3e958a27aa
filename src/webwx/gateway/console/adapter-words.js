// Names of the protocols of connected programs.

import { wordsOf } from "./words.js";

const t = wordsOf({
  adapter_mcp: ["AI agents (MCP)", "AI 智能体（MCP）"],
});

/** Return the name of an adapter; else `title`, the one that the API has. */
export function adapterName(name, title = name) {
  const words = t(`adapter_${name}`);
  return words === `adapter_${name}` ? title : words;
}
