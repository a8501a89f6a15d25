/**
 * A server of the poll benchmark, in a process of its own so that its CPU time is its own. `ours` is a control plane
 * with a fleet whose hosts have all there is for them; `floor` knows no host, no credential and no generation. Says
 * where it listens and what hosts send, and then, asked by any message, what it has spent.
 */
import { insertKeys, invitationOf } from "#test/support/fleet-keys.ts";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { type App, createApp } from "#worker/app.ts";
import { openHostCredentials } from "#worker/hosts/credential.ts";
import { openFleet } from "#worker/hosts/fleet.ts";
import { listen } from "#worker/standalone/listen.ts";
import { headers } from "#schema/wire.ts";
import { host, installRoot, openPlane, type Plane } from "#test/support/plane.ts";

/** What the parent gets first. */
export interface Listening {
  readonly port: number;
  readonly requests: readonly string[];
}
/** And then each time it asks: microseconds of all threads, since the start. */
export interface Spent {
  readonly cpu: number;
}

const path = "/v1/agent/update";
/** Each host asks every 30 s: so much time passes between two polls of the fleet. */
const spacingMs = (hosts: number): number => 30_000 / hosts;

const [, , kind = "", count = ""] = process.argv;
const { port, requests } = kind === "ours" ? await ours(Number(count)) : await floor();
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpu: user + system } satisfies Spent);
});
process.once("disconnect", () => process.exit(0));
process.send?.({ port, requests } satisfies Listening);

async function floor(): Promise<Listening> {
  const bare = new Hono().get(path, (c) => c.body(null, 304));
  const server = createAdaptorServer({ fetch: bare.fetch });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, requests: [] };
}

async function ours(hosts: number): Promise<Listening> {
  const plane = await openPlane();
  const names = Array.from({ length: hosts }, (_, i) => `host-${i}`);
  await plane.commit(...names.map(host));
  await installRoot(plane);
  const requestOf = await enrolled(plane, names);
  const sent: string[] = [];
  for (const name of names) sent.push(await requestOf(name));
  const app = createApp(plane.ports);
  const { unchanged: answer } = app;
  const milliseconds = spacingMs(hosts);
  const unchanged: App["unchanged"] = (...asked) => {
    plane.advance(milliseconds);
    return answer(...asked);
  };
  const endpoint = { kind: "plain", host: "127.0.0.1", port: 0 } as const;
  const { url } = await listen(Object.assign(app, { unchanged }), endpoint);
  return { port: Number(new URL(url).port), requests: sent };
}

/** Hosts with keys, and what each sends once it has everything: how they enrol is not what is measured. */
async function enrolled(
  plane: Plane,
  names: readonly string[],
): Promise<(name: string) => Promise<string>> {
  const { sql } = plane.ports;
  await sql.batch([...insertKeys(sql, names)]);
  const credentials = openHostCredentials(plane.ports, openFleet(plane.ports));
  return async (name) => {
    const token = await credentials.mint(name, invitationOf(name), 0);
    const authorization = `Bearer ${token}`;
    const first = await plane.request(path, { headers: { authorization } });
    if (first.status !== 200) throw new Error(`the first poll was answered ${first.status}`);
    return [
      `GET ${path} HTTP/1.1`,
      "Host: localhost",
      `Authorization: ${authorization}`,
      `If-None-Match: ${first.headers.get("etag") ?? ""}`,
      `${headers.generation}: ${first.headers.get(headers.generation) ?? ""}`,
      "\r\n",
    ].join("\r\n");
  };
}
