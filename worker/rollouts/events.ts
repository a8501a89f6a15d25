/**
 * A rollout as server-sent events: its view whenever it changed. Everything that changes a rollout is audited, so one
 * row tells whether there may be news. A stream ends by itself, with the rollout or after a minute, and a browser comes
 * back with the id of what it has seen; one that has the end already is told not to come again.
 */
import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { RolloutStatus, RolloutView } from "#schema/rollout.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import type { Ports } from "#worker/ports/index.ts";
import { readRollout } from "./read.ts";
import { auditHead } from "#worker/db/audit.ts";
import type { AppEnv } from "#worker/http/env.ts";

/** Milliseconds. Thirty reads in a stream stay below what a Worker may ask of its database in one request. */
const readEveryMs = 2000;
const reads = 30;
const readsPerHeartbeat = 7;

/** Names what a view says. */
export const viewTag = async (view: RolloutView): Promise<string> =>
  (await hashSha256(JSON.stringify(view))).slice(0, 32);

export async function streamRollout(
  c: Context<AppEnv>,
  ports: Ports,
  first: RolloutView,
): Promise<Response> {
  const seen = c.req.header("Last-Event-ID");
  if (isOver(first.status) && seen === (await viewTag(first))) return c.body(null, 204);
  const response = streamSSE(c, (stream) => follow(stream, ports, first, seen));
  response.headers.set("Cache-Control", "no-store, no-transform");
  return response;
}

const isOver = (status: RolloutStatus): boolean =>
  status === "completed" || status === "superseded";

/** @param seen the last event that the client has */
async function follow(
  stream: SSEStreamingApi,
  ports: Ports,
  first: RolloutView,
  seen: string | undefined,
): Promise<void> {
  let view = first;
  let [sent, shown] = [seen, 0];
  for (let read = 1; read <= reads && !stream.aborted; read += 1) {
    const head = (await auditHead(ports.sql)).seq;
    if (head !== shown) view = (await readRollout(ports.sql, first.id)) ?? view;
    shown = head;
    const id = await viewTag(view);
    if (id !== sent)
      await stream.writeSSE({ event: "rollout", id, data: JSON.stringify(view), retry: 1000 });
    else if (read % readsPerHeartbeat === 0) await stream.write(": no news\n\n");
    sent = id;
    if (isOver(view.status)) return;
    await stream.sleep(readEveryMs);
  }
}
