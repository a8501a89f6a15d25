/**
 * The wire between a host and the control plane, as a process inside the management namespace: it ends TLS with the
 * lab's certificate and carries HTTP on to a unix socket, which crosses namespaces. It is also the attacker: in mode
 * `tamper` it opens the bundle under way, in mode `replay` it serves the update before the last that it saw. Modes arrive as
 * lines on stdin and are acknowledged on stdout; the end of stdin ends it. It holds no signing key and no token.
 */
import { readFileSync } from "node:fs";
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { createServer } from "node:https";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Socket } from "node:net";
import { parseArgs } from "node:util";
import * as z from "zod";
import { Update } from "#schema/wire.ts";

const Mode = z.enum(["pass", "tamper", "replay"]);
type Mode = z.infer<typeof Mode>;

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const largestBody = 16 * 1024 * 1024;

async function collect(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > largestBody) throw new Error("body too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function forward(
  socketPath: string,
  incoming: IncomingMessage,
  body: Buffer,
): Promise<Answer> {
  const { method, url, headers } = incoming;
  const outgoing = request({
    socketPath,
    method,
    path: url,
    headers: { ...headers, connection: "close" },
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return {
    status: response.statusCode ?? 502,
    headers: response.headers,
    body: await collect(response),
  };
}

/** Every `drop` of the bundle becomes `accept`; the signed metadata around it stays as it is. */
function replaceDrops(answer: Answer): Answer {
  const update = Update.parse(JSON.parse(answer.body.toString("utf8")));
  if (update.bundle === undefined) return answer;
  const bundle = Buffer.from(update.bundle, "base64").toString("utf8");
  const widened = bundle.replaceAll('"verdict":"drop"', '"verdict":"accept"');
  const body = JSON.stringify({ ...update, bundle: Buffer.from(widened).toString("base64") });
  return { ...answer, body: Buffer.from(body) };
}

/** What travels on after the attacker had his way, and what he remembers. */
function meddle(mode: Mode, answer: Answer, remembered: readonly Answer[]): Answer {
  switch (mode) {
    case "pass":
      return answer;
    case "tamper":
      return answer.status === 200 ? replaceDrops(answer) : answer;
    case "replay":
      return remembered.at(-2) ?? answer;
  }
}

function sendAnswer(response: ServerResponse, answer: Answer): void {
  const { "transfer-encoding": _, connection: __, ...headers } = answer.headers;
  response.writeHead(answer.status, { ...headers, "content-length": answer.body.length });
  response.end(answer.body);
}

function main(): void {
  const { values } = parseArgs({
    options: {
      listen: { type: "string", default: "127.0.0.1" },
      port: { type: "string", default: "8443" },
      cert: { type: "string", default: "" },
      key: { type: "string", default: "" },
      to: { type: "string", default: "" },
    },
  });
  let mode: Mode = "pass";
  /** By the host's address in the management network: every host has an update stream of its own. */
  const remembered = new Map<string, Answer[]>();
  const live = new Set<Socket>();
  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = await forward(values.to, incoming, await collect(incoming));
    if (incoming.method !== "GET" || !(incoming.url ?? "").startsWith("/v1/agent/update"))
      return sendAnswer(response, answer);
    const host = incoming.socket.remoteAddress ?? "";
    const own = remembered.get(host) ?? [];
    if (mode === "pass" && answer.status === 200) remembered.set(host, [...own, answer]);
    sendAnswer(response, meddle(mode, answer, own));
  };
  const credentials = { cert: readFileSync(values.cert), key: readFileSync(values.key) };
  const server = createServer(credentials, (incoming, response) => {
    handle(incoming, response).catch(() => response.writeHead(502).end());
  });
  server.on("connection", (socket: Socket) => {
    live.add(socket);
    socket.on("close", () => live.delete(socket));
  });
  server.listen(Number(values.port), values.listen, () => process.stdout.write("listening\n"));
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    mode = Mode.parse(line);
    for (const socket of live) socket.destroy(); // a kept-alive connection would not notice the change
    process.stdout.write(`${mode}\n`);
  });
  lines.on("close", () => process.exit(0));
}

main();
