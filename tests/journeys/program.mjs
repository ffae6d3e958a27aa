// A program that knows the gateway from its pages only: node program.mjs URL KEY. It prints two lines of JSON.
import { createHmac } from "node:crypto";
import { createServer } from "node:http";

const [url, key] = process.argv.slice(2);
const authorization = { Authorization: `Bearer ${key}` };

async function call(method, path, body, headers = {}) {
  const answer = await fetch(`${url}/api/v1${path}`, { method, body, headers: { ...authorization, ...headers } });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const json = { "Content-Type": "application/json" };

// Send, and repeat the request as after a lost answer.
const send = () =>
  call("POST", "/accounts/1/messages", JSON.stringify({ to: "filehelper", text: "from JavaScript 🎉" }), {
    ...json,
    "Idempotency-Key": "greeting-1",
  });
const first = await send();
const second = await send();

// Upload, then send the upload.
const form = new FormData();
form.append("file", new Blob(["a,b\n1,2\n"]), "report.csv");
const upload = await call("POST", "/uploads", form);
const file = await call(
  "POST",
  "/accounts/1/messages",
  JSON.stringify({ to: "filehelper", file: { upload_id: upload.upload_id } }),
  json,
);

// Receive a webhook, and verify its signature as Standard Webhooks describes it.
let secret = "";
const delivered = new Promise((resolve) => {
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      response.writeHead(204).end();
      const content = `${request.headers["webhook-id"]}.${request.headers["webhook-timestamp"]}.${body}`;
      const bytes = Buffer.from(secret.replace("whsec_", ""), "base64");
      const expected = `v1,${createHmac("sha256", bytes).update(content).digest("base64")}`;
      const isVerified = request.headers["webhook-signature"].split(" ").includes(expected);
      server.close();
      server.closeIdleConnections();
      resolve({ text: JSON.parse(body).data.text, isVerified });
    });
  });
  server.listen(0, "127.0.0.1", async () => {
    const hook = { name: "program", url: `http://127.0.0.1:${server.address().port}/in`, types: ["message.text"] };
    const made = await call("POST", "/webhooks", JSON.stringify({ ...hook, allow_private: true }), json);
    secret = made.secret;
    opened.resolve();
  });
});
const opened = {};
const isOpen = new Promise((resolve) => (opened.resolve = resolve));

// Follow the events.
await isOpen;
const stop = new AbortController();
const stream = await fetch(`${url}/api/v1/events/stream?types=message.text`, {
  headers: authorization,
  signal: stop.signal,
});
console.log(JSON.stringify({ state: first.state, repeated: first.id === second.id, file: file.state }));

let heard = "";
let rest = "";
const decoder = new TextDecoder();
for await (const part of stream.body) {
  rest += decoder.decode(part, { stream: true });
  const lines = rest.split("\n");
  rest = lines.pop();
  const data = lines.find((line) => line.startsWith("data: ") && JSON.parse(line.slice(6)).type === "message.text");
  if (data) {
    heard = JSON.parse(data.slice(6)).data.text;
    break;
  }
}
const webhook = await delivered;
console.log(JSON.stringify({ stream: heard, webhook: webhook.text, is_verified: webhook.isVerified }));
stop.abort();
