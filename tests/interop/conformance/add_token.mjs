// Adds the token of the agent to each request of the conformance scenarios, which have no option for it:
// node --import ./add_token.mjs ..., with the token in the environment variable AGENT_TOKEN.
import { subscribe } from "node:diagnostics_channel";

const value = `Bearer ${process.env.AGENT_TOKEN}`;
subscribe("undici:request:create", ({ request }) => request.addHeader("Authorization", value));
subscribe("http.client.request.created", ({ request }) => request.setHeader("Authorization", value));
