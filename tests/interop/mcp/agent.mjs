// Uses an account as an agent does: node agent.mjs CLIENT URL TOKEN, where CLIENT is sdk, client or modern.
const [kind, url, token] = process.argv.slice(2);
const name = { name: "interop", version: "1" };
const options = { requestInit: { headers: { Authorization: `Bearer ${token}` } } };

let client, transport;
if (kind === "sdk") {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  client = new Client(name);
  transport = new StreamableHTTPClientTransport(new URL(url), options);
} else {
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  client = new Client(name, kind === "modern" ? { versionNegotiation: { mode: "auto" } } : {});
  transport = new StreamableHTTPClientTransport(new URL(url), options);
}

await client.connect(transport);
const { tools } = await client.listTools();
const status = await client.callTool({ name: "login_status", arguments: {} });
const text = { text: `from ${kind}`, idempotency_key: kind };
const sent = await client.callTool({ name: "send_text", arguments: text });
const again = await client.callTool({ name: "send_text", arguments: text });
const refused = await client.callTool({ name: "send_text", arguments: { chat: "Boss", text: "hello" } });
const { resources } = await client.listResources();
const read = await client.readResource({ uri: "wx://accounts" });
const { prompts } = await client.listPrompts();
console.log(JSON.stringify({
  tools: tools.length,
  state: status.structuredContent.state,
  sent: sent.structuredContent.state,
  once: sent.structuredContent.message_id === again.structuredContent.message_id,
  refused: [refused.isError, refused.structuredContent.outcome],
  resources: resources.length,
  read: JSON.parse(read.contents[0].text).state,
  prompts: prompts.length,
}));
await client.close();
