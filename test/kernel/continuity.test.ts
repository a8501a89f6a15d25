/** While rules are replaced, no forbidden packet passes and no permitted one is lost. Packets go end to end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Nft, openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { inNamespace, newPrefix } from "#lab/net/netns.ts";
import { run } from "#lab/run/process.ts";
import { buildTopology, type Topology } from "#lab/net/topology.ts";
import { groupsRuleset, mustRender } from "#test/support/rulesets.ts";

const people = {
  alice: ["10.8.0.11", "fd00:8::11"],
  bob: ["10.8.0.12", "fd00:8::12"],
  carol: ["10.8.0.13", "fd00:8::13"],
} as const;
type Person = keyof typeof people;

let topology: Topology;
let nft: Nft;
beforeAll(async () => {
  topology = await buildTopology({
    prefix: newPrefix(),
    gateway: { interfaces: ["tun0", "eth0", "eth1"], addresses: [] },
    machines: [
      ...Object.entries(people).map(([name, addresses]) => ({ name, behind: "tun0", addresses })),
      { name: "left", behind: "eth0", addresses: ["198.51.100.7", "2001:db8:7::7"] },
      { name: "right", behind: "eth1", addresses: ["203.0.113.9", "2001:db8:9::9"] },
    ],
  });
  nft = openNft(spawnExec({ prefix: inNamespace(topology.gateway) }));
});
afterAll(() => topology.destroy());

const members = (...names: readonly Person[]): readonly string[] =>
  names.flatMap((name) => people[name]);
const carolOperates = mustRender(
  groupsRuleset({ dev: members("alice", "bob"), ops: members("carol") }),
);
const carolDevelops = mustRender(groupsRuleset({ dev: members("alice", "bob", "carol"), ops: [] }));

async function reaches(from: string, ...addresses: readonly string[]): Promise<readonly boolean[]> {
  const one = async (address: string): Promise<boolean> => {
    const ping = ["ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "0.5", address];
    return (await run(inNamespace(topology.machine(from), ...ping))).code === 0;
  };
  return Promise.all(addresses.map(one));
}

it("carries every packet while nothing is loaded, so that a loss below is a verdict", async () => {
  expect(await reaches("alice", ...members("bob", "carol"))).toEqual([true, true, true, true]);
});

it("lets a ping pass by group, end to end, and a member's move changes it, v4 and v6", async () => {
  await nft.apply(carolOperates);
  expect(await reaches("alice", ...members("bob"))).toEqual([true, true]);
  expect(await reaches("alice", ...members("carol"))).toEqual([false, false]);
  await nft.apply(carolDevelops);
  expect(await reaches("alice", ...members("carol"))).toEqual([true, true]);
  await nft.apply(carolOperates);
  expect(await reaches("carol", ...members("alice"))).toEqual([false, false]);
});

it("leaves forwarding between other interfaces alone, and drops it where a tunnel is one end", async () => {
  await nft.apply(carolOperates);
  expect(await reaches("left", "203.0.113.9", "2001:db8:9::9")).toEqual([true, true]);
  expect(await reaches("left", ...members("alice"))).toEqual([false, false]);
  expect(await reaches("alice", "198.51.100.7", "2001:db8:7::7")).toEqual([false, false]);
});

interface Flood {
  readonly stop: () => Promise<{ readonly sent: number; readonly received: number }>;
}

/** Echo requests as fast as ping adapts to, at least a hundred a second, until stopped. */
function flood(from: string, address: string): Flood {
  const [command = "", ...args] = inNamespace(
    topology.machine(from),
    "ping",
    "-n",
    "-q",
    "-f",
    address,
  );
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return {
    stop: async () => {
      child.kill("SIGINT");
      await once(child, "close");
      const [, sent = "0", received = "0"] =
        /(\d+) packets transmitted, (\d+) received/.exec(text) ?? [];
      return { sent: Number(sent), received: Number(received) };
    },
  };
}

it("leaks nothing and loses nothing in 100 applies under a flood, v4 and v6", async () => {
  await nft.apply(carolOperates);
  const forbidden = members("carol").map((address) => flood("alice", address));
  const permitted = members("bob").map((address) => flood("alice", address));
  const other = mustRender(
    groupsRuleset({ dev: [...members("alice", "bob"), "10.8.0.99"], qa: [] }),
  );
  for (let i = 0; i < 100; i += 1) await nft.apply(i % 2 === 0 ? other : carolOperates);
  const stopped = async (floods: readonly Flood[]) => Promise.all(floods.map(({ stop }) => stop()));
  const [leaked, lost] = await Promise.all([stopped(forbidden), stopped(permitted)]);
  for (const { sent } of [...leaked, ...lost]) expect(sent).toBeGreaterThan(100);
  for (const { received } of leaked) expect(received).toBe(0);
  // The last request may still be on its way when ping is stopped.
  for (const { sent, received } of lost) expect(sent - received).toBeLessThanOrEqual(1);
});
