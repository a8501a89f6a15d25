/**
 * The poll that changes nothing, beside the bare framework that answers 304 and does nothing else: the same runtime,
 * the same HTTP server, the same load, in turns. The floor knows no host, no credential and no generation.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Worker } from "node:worker_threads";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import * as z from "zod";
import { headers } from "#schema/wire.ts";
import { enrolled, poll } from "#test/support/host.ts";
import { host, installRoot, openPlane } from "#test/support/plane.ts";
import type { Job } from "./poll-load.ts";

export interface Row {
  readonly name: string;
  /** Requests a second, ours and the floor's. */
  readonly value: number;
  readonly floor: number;
  /** Median of the rounds' ratios; above 1 is faster than the floor. */
  readonly ratio: number;
  readonly goal: number;
}

const rounds = 11;
const path = "/v1/agent/update";

export async function bench(): Promise<readonly Row[]> {
  const plane = await openPlane();
  const worker = new Worker(new URL("./poll-load.ts", import.meta.url));
  try {
    await plane.commit(host("a"));
    await installRoot(plane);
    const { token } = await enrolled(plane, "a");
    const first = await poll(plane, token);
    const request = [
      `GET ${path} HTTP/1.1`,
      "Host: localhost",
      `Authorization: Bearer ${token}`,
      `If-None-Match: ${first.headers.get("etag") ?? ""}`,
      `${headers.generation}: ${first.headers.get(headers.generation) ?? ""}`,
      "\r\n",
    ].join("\r\n");
    const bare = new Hono().get(path, (c) => c.body(null, 304));
    return [await compare(worker, request, plane.fetch, bare.fetch)];
  } finally {
    await worker.terminate();
    await plane.close();
  }
}

type Fetch = (request: Request) => Response | Promise<Response>;

async function compare(worker: Worker, request: string, ours: Fetch, floor: Fetch): Promise<Row> {
  const servers = [await serve(ours), await serve(floor)] as const;
  try {
    const measured: { readonly value: number; readonly floor: number }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const value = await rate(worker, { port: servers[0].port, request, connections: 16, requests: 8_000 });
      const base = await rate(worker, { port: servers[1].port, request, connections: 16, requests: 8_000 });
      measured.push({ value, floor: base });
    }
    // The first round warms up.
    const counted = measured.slice(1);
    return {
      name: "poll 304 beside bare Hono, over HTTP",
      value: median(counted.map((round) => round.value)),
      floor: median(counted.map((round) => round.floor)),
      ratio: median(counted.map((round) => round.value / round.floor)),
      goal: 0.85,
    };
  } finally {
    servers.forEach((server) => server.close());
  }
}

async function serve(fetch: Fetch): Promise<{ readonly port: number; close(): void }> {
  const server = createAdaptorServer({ fetch });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, close: () => void server.close() };
}

const Answer = z.union([z.object({ rate: z.number() }), z.object({ error: z.string() })]);

async function rate(worker: Worker, job: Job): Promise<number> {
  worker.postMessage(job);
  const [message] = (await once(worker, "message")) as [unknown];
  const answer = Answer.parse(message);
  if ("error" in answer) throw new Error(answer.error);
  return answer.rate;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
