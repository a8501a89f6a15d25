/**
 * What a gateway that judges where addresses come from must not break on its tunnel: neighbour discovery, link-local
 * senders, and its own way to itself. What it drops is in the golden `21-spoofed`, packet by packet.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import {
  inNamespace,
  joinByCable,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { knockAt, type Word } from "#test/support/connections.ts";
import { mustRender, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const prefix = newPrefix();
const [gateway, client] = [makeNamespaceName(prefix, "gw"), makeNamespaceName(prefix, "client")];
const path = (name: string): string =>
  fileURLToPath(new URL(`../support/${name}`, import.meta.url));
let listener: ChildProcess;

/** Lets everybody in at 443, of whoever came by a way that is theirs. */
const program = mustRender(
  rulesetOf({
    scopes: [
      { kind: "host" },
      {
        kind: "overlay",
        name: "office",
        interfaces: ["tun0"],
        subnets: ["10.8.0.0/24", "fd00:8::/64"],
      },
    ],
    rules: [
      ruleOf({
        scope: "host",
        direction: "in",
        protocol: {
          kind: "tcp",
          ports: { kind: "ranges", ranges: [{ from: 443, to: 443 }] },
          sourcePorts: { kind: "any" },
        },
        verdict: "accept",
        counter: "r_web",
      }),
    ],
  }),
);

const knock = (from: string, ...addresses: readonly string[]): Promise<readonly Word[]> =>
  knockAt(
    { drop: [gateway], idle: client },
    from,
    addresses.map((address) => `${address} 443`),
  );

const nft = () => openNft(spawnExec({ prefix: inNamespace(gateway) }));
const spoofed = async (): Promise<number> =>
  (await nft().counters()).find(({ name }) => name === "c_spoofed")?.packets ?? NaN;

beforeAll(async () => {
  await makeNamespaces([gateway, client]);
  await joinByCable(
    {
      namespace: gateway,
      device: "tun0",
      addresses: ["10.8.0.1/24", "fd00:8::1/64", "fe80::1/64"],
    },
    { namespace: client, device: "eth0", addresses: ["10.8.0.2/24", "fd00:8::2/64", "fe80::2/64"] },
  );
  await nft().apply(program);
  const [command = "", ...args] = inNamespace(
    gateway,
    process.execPath,
    path("listener.ts"),
    "443",
  );
  listener = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  if (listener.stdout !== null) await once(listener.stdout, "data");
}, 60_000);
afterAll(async () => {
  listener.stdin?.end();
  await removeNamespaces([gateway, client]);
});

it("link-local senders come by the tunnel as ever", async () => {
  expect(await knock(client, "fe80::1%eth0")).toEqual(["open"]);
  expect(await spoofed()).toBe(0);
});

it("neighbours on the tunnel find each other anew, v4 and v6", async () => {
  for (const [namespace, device] of [
    [gateway, "tun0"],
    [client, "eth0"],
  ] as const)
    await must(inNamespace(namespace, "ip", "neigh", "flush", "dev", device));
  expect(await knock(client, "10.8.0.1", "fd00:8::1")).toEqual(["open", "open"]);
  expect(await spoofed()).toBe(0);
});

it("the gateway reaches itself by its own tunnel addresses", async () => {
  expect(await knock(gateway, "10.8.0.1", "fd00:8::1")).toEqual(["open", "open"]);
  expect(await spoofed()).toBe(0);
});
