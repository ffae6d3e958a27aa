// A program for the gateway whose only source is `/openapi.json`: `api.d.ts` is generated from it. It writes one line of
// JSON for each step. Every access below is checked by `tsc --strict`, also which fields an event of a type has.

import { EventSourceParserStream } from "eventsource-parser/stream";
import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

type EventView = components["schemas"]["EventView"];

const [, , url = "", key = ""] = process.argv;

const api = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });

function report(step: string, found: object): void {
  console.log(JSON.stringify({ step, ...found }));
}

function describe(event: EventView): object {
  switch (event.type) {
    case "message.text":
      return { type: event.type, text: event.data.text, chat: event.chat };
    case "message.image":
      return { type: event.type, width: event.data.width, md5: event.data.md5 };
    case "message.recalled":
      return { type: event.type, original: event.data.original?.type };
    default:
      return { type: event.type };
  }
}

// The stream is opened first, so it has everything that follows.
const { data: bytes } = await api.GET("/api/v1/events/stream", {
  params: { query: { accounts: "1", types: "message.*,send.changed" } },
  parseAs: "stream",
});
if (!bytes) throw new Error("no stream");
report("stream", {});

// -- send a text -----------------------------------------------------------------------------------------------------
const account = "1";
const idempotent = { "Idempotency-Key": "from-typescript" };
const sent = await api.POST("/api/v1/accounts/{account}/messages", {
  params: { path: { account }, header: idempotent },
  body: { to: "filehelper", text: "from TypeScript" },
});
if (!sent.data) throw new Error(sent.error.title);
const state: "queued" | "sending" | "sent" | "failed" | "unknown" | "recalled" = sent.data.state;
report("sent", { state, time: sent.data.time });

// -- upload a file, and send it --------------------------------------------------------------------------------------
const upload = await api.POST("/api/v1/uploads", {
  params: { query: { name: "report.txt" } },
  body: "a report from TypeScript",
  bodySerializer: (body) => body,
  headers: { "Content-Type": "application/octet-stream" },
});
if (!upload.data) throw new Error(upload.error.title);
const file = await api.POST("/api/v1/accounts/{account}/messages", {
  params: { path: { account } },
  body: { to: "filehelper", file: { upload_id: upload.data.upload_id } },
});
report("uploaded", { bytes: upload.data.bytes, kind: upload.data.kind, state: file.data?.state });

// -- problems are typed too ------------------------------------------------------------------------------------------
const { error, response } = await api.POST("/api/v1/accounts/{account}/messages", {
  params: { path: { account } },
  body: { to: "nobody of this name", text: "lost" },
});
report("refused", { status: response.status, code: error?.code, title: error?.title });

const limits = await api.GET("/api/v1/accounts/{account}/sends", {
  params: { path: { account }, query: { limit: 0, state: "sent" } },
});
report("invalid", { status: limits.response.status, errors: limits.error?.errors });

// -- events, until the one that the test makes last ------------------------------------------------------------------
const decoded = bytes.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
for await (const { event: kind, data } of decoded) {
  if (!data) continue; // the begin of the stream has an id only
  if (kind === "send.changed") {
    const change: components["schemas"]["SendChangeView"] = JSON.parse(data);
    report("change", { kind: change.send.kind, state: change.send.state });
  } else if (kind === undefined || kind === "message") {
    const event: EventView = JSON.parse(data);
    report("event", describe(event));
    if (event.type === "message.text" && event.data.text === "the last one") break;
  }
}
process.exit(0);
