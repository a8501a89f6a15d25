/** The count-only form of a ruleset, with real packets: nothing is cut, and what would be is counted in its row. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Nft, openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { inNamespace, newPrefix } from "#lab/net/netns.ts";
import { buildTopology, type Topology } from "#lab/net/topology.ts";
import { countOnly, type Program, listRefusalCounters, renderClosed } from "#core/render/index.ts";
import type { Protocol } from "#schema/ruleset.ts";
import { knockAt, type Word } from "#test/support/connections.ts";
import { mustRender, ruleOf, rulesetOf, testGuard } from "#test/support/rulesets.ts";

const own = ["192.0.2.1", "2001:db8::1"] as const;
const tcp = (port: number): Protocol => ({
  kind: "tcp",
  ports: { kind: "ranges", ranges: [{ from: port, to: port }] },
  sourcePorts: { kind: "any" },
});

/** Lets in port 80, rejects 81, drops the rest. */
const program = mustRender(
  rulesetOf({
    scopes: [{ kind: "host" }],
    rules: [
      ruleOf({
        scope: "host",
        direction: "in",
        protocol: tcp(80),
        verdict: "accept",
        counter: "r_web",
      }),
      ruleOf({
        scope: "host",
        direction: "in",
        protocol: tcp(81),
        verdict: "reject",
        counter: "r_no",
      }),
    ],
  }),
);

let topology: Topology;
let nft: Nft;
let listener: ChildProcess;

const path = (name: string): string =>
  fileURLToPath(new URL(`../support/${name}`, import.meta.url));

async function knock(...ports: readonly number[]): Promise<readonly Word[]> {
  const targets = ports.flatMap((port) => own.map((address) => `${address} ${port}`));
  const watched = { drop: [topology.gateway], idle: topology.hub("eth0") };
  return knockAt(watched, topology.machine("stranger"), targets);
}

/** Packets by row, since the table was made anew. */
async function counted(loaded: Program): Promise<Readonly<Record<string, number>>> {
  await nft.remove();
  await nft.apply(loaded);
  await knock(80, 81, 82);
  const readings = await nft.counters();
  return Object.fromEntries(readings.map(({ name, packets }) => [name, packets]));
}

beforeAll(async () => {
  topology = await buildTopology({
    prefix: newPrefix(),
    gateway: { interfaces: ["eth0", "mgmt0"], addresses: own },
    machines: [{ name: "stranger", behind: "eth0", addresses: ["203.0.113.9", "2001:db8:9::9"] }],
  });
  nft = openNft(spawnExec({ prefix: inNamespace(topology.gateway) }));
  const argv = inNamespace(
    topology.gateway,
    process.execPath,
    path("listener.ts"),
    "80",
    "81",
    "82",
  );
  listener = spawn(argv[0] ?? "", argv.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
  if (listener.stdout !== null) await once(listener.stdout, "data");
});
afterAll(async () => {
  const ended = once(listener, "exit");
  listener.stdin?.end();
  await ended;
  await topology.destroy();
});

it("lets everything pass, and counts in the rows of what would be cut, v4 and v6", async () => {
  const enforced = await counted(program);
  expect(await knock(80, 81, 82)).toEqual([
    "open",
    "open",
    "refused",
    "refused",
    "silent",
    "silent",
  ]);
  expect(enforced).toMatchObject({ r_web: 2, r_no: 2 });
  const passing = await counted(countOnly(program));
  expect(await knock(80, 81, 82)).toEqual(Array.from({ length: 6 }, () => "open"));
  expect(passing).toMatchObject({ r_web: 2, r_no: 2, r_end_in_host: 2 });
  expect(listRefusalCounters(program)).toEqual(["c_undecided", "r_end_in_host", "r_no"]);
});

it("is what a readback expects, and goes over into the ruleset itself with its counters", async () => {
  await counted(countOnly(program));
  await nft.readback(countOnly(program));
  await nft.apply(program);
  expect(await nft.counters()).toContainEqual(
    expect.objectContaining({ name: "r_no", packets: 2 }),
  );
  expect(await knock(82)).toEqual(["silent", "silent"]);
});

it("counts what has no row of its own, as in the closed ruleset", async () => {
  const passing = await counted(countOnly(renderClosed(testGuard)));
  expect(passing).toEqual({ c_invalid: 0, c_undecided: 6 });
});
