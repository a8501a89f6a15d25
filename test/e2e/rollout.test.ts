/**
 * Rollouts in the lab: real agents, real packets, and the command line as an operator has it. A host that is broken on
 * purpose stops what would break others, and what moves from one to another is taken before it is given.
 */
import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Change } from "#schema/intent.ts";
import { readKernel } from "#lab/net/kernel.ts";
import { type Lab, openLab, waitForLab } from "#lab/story/lab.ts";
import { must } from "#lab/run/process.ts";
import { openState } from "#lab/net/state.ts";
import { type Ended, runCli } from "../support/cli.ts";
import { newData } from "./lab-process.ts";
import { reached, watchPackets } from "./packet-watch.ts";

const data = newData();
let lab: Lab;
let release: () => void;

/** What laptop1 must reach under a new ruleset: a service on another machine, which the test takes away. */
const upstream = { host: "198.51.100.7", port: 443 } as const;

beforeAll(async () => {
  const state = await openState(data);
  if (state === undefined) throw new Error("another lab holds this folder");
  release = () => state.release();
  lab = await openLab({ data, port: 0, runtime: "standalone" }, state, () => undefined);
  const host = lab.hosts.find(({ name }) => name === "laptop1");
  if (host === undefined) throw new Error("the fleet has no laptop1");
  const probe = `{ kind: tcp, host: "${upstream.host}", port: ${upstream.port} }`;
  appendFileSync(join(host.folder, "guard.yaml"), `confirm: { seconds: 15, probes: [${probe}] }\n`);
  await lab.startAgents();
  await waitForLab(lab);
});
afterAll(async () => {
  await lab.close();
  release();
  rmSync(data, { recursive: true, force: true });
});

const cli = (...args: readonly string[]): Promise<Ended> =>
  runCli(args, {
    env: {
      PORTCULLIS_URL: lab.control.url,
      PORTCULLIS_TOKEN: readFileSync(lab.control.tokenFile, "utf8").trim(),
    },
  });

const stage = (message: string, changes: readonly Change[], when: "now" | "staged" = "staged") =>
  lab.control.api.call("POST /v1/commits", {
    body: { message, source: "api", release: when, changes: [...changes] },
  });

const service = (key: string, from: string, to: readonly string[]): Change => ({
  op: "put",
  kind: "service",
  key,
  body: { ingress: [{ from, port: 4711, proto: "tcp" }], to: [...to] },
});

const hostsOf = async (id: string) =>
  (await lab.control.api.call("GET /v1/rollouts/:id/hosts", { params: { id } })).items;

/** Digests of all kernels, by host. */
async function kernels(): Promise<ReadonlyMap<string, string>> {
  const read = lab.hosts.map(async ({ name, namespace }) => {
    const table = await readKernel(namespace);
    return [name, table?.digest ?? "none"] as const;
  });
  return new Map(await Promise.all(read));
}

const names = ["gw", "proxy1", "photos1", "vault1", "laptop1"] as const;
/** Whether each host's new port is open, from a machine that is not a host. */
const doors = names.map((name) => `stranger > ${name} tcp/4711`);
const fast = ["--strategy", "canary:100", "--bake", "0s"] as const;

test("a host that cannot live with it halts it in the first wave, and everybody has again what they had", async () => {
  const before = await kernels();
  const { staged } = await stage("open a port", [
    service("door", "any", ["role:monitored", "host:laptop1"]),
  ]);
  expect([...staged].sort()).toEqual([...names].sort());
  expect(await kernels()).toEqual(before);

  const broken = [
    "ip",
    "netns",
    "exec",
    lab.network.station("stranger").namespace,
    "nft",
    "-f",
    "-",
  ];
  const table = "table inet broken { chain in { type filter hook input priority -10;";
  const rule = `tcp dport ${upstream.port} reject with tcp reset; }; }`;
  await must(broken, { input: `${table} ${rule}` });

  const watch = watchPackets(lab, doors);
  const { code, lines, errors } = await cli("rollout", "start", "--wait", ...fast);
  const story = [...lines, ...errors].join("\n");
  expect(code, story).toBe(1);
  expect(story).toMatch(/Z laptop1 reverted: took itself back from seq \d+$/m);
  expect(story).toMatch(/Z rolled back: /);
  await waitForLab(lab);
  const rounds = await watch.stop();

  const [, id = ""] = /rollout (\d+): /.exec(story) ?? [];
  const later = (await hostsOf(id)).filter(({ wave }) => wave > 1);
  expect(later.length).toBeGreaterThan(0);
  for (const { host, standing } of later) {
    expect([host, standing]).toEqual([host, "pending"]);
    expect(rounds.filter((round) => round.has(`stranger > ${host} tcp/4711`))).toEqual([]);
  }
  expect(await kernels()).toEqual(before);
  expect(await reached(lab, doors)).toEqual(new Set());
});

test("the host repaired, it goes on with a reason, and reaches everybody wave by wave", async () => {
  const stranger = lab.network.station("stranger").namespace;
  await must(["ip", "netns", "exec", stranger, "nft", "delete", "table", "inet", "broken"]);
  const [, id = ""] =
    /^(\d+) /m.exec((await cli("rollout", "list", "--limit", "1")).lines[1] ?? "") ?? [];
  expect((await cli("rollout", "resume", id)).code).toBe(2);
  expect((await cli("rollout", "resume", id, "--reason", "upstream repaired")).code).toBe(0);
  const { code, lines } = await cli("rollout", "watch", id);
  expect(code, lines.join("\n")).toBe(0);
  expect(new Set((await hostsOf(id)).map(({ standing }) => standing))).toEqual(
    new Set(["committed"]),
  );
  expect(await reached(lab, doors)).toEqual(new Set(doors));
});

test("what moves is taken before it is given: no pair talks that neither intent allows", async () => {
  await stage("a door to photos1", [service("door", "any", ["host:photos1"])], "now");
  await waitForLab(lab);
  const clients = ["alice", "bob", "carol"] as const;
  const pairs = clients.flatMap((from) =>
    clients.filter((to) => to !== from).map((to) => `${from} > ${to} ping`),
  );
  const questions = [...pairs, ...doors];
  const old = await reached(lab, questions);
  expect(old).toEqual(
    new Set(["alice > bob ping", "bob > alice ping", "stranger > photos1 tcp/4711"]),
  );

  const { v4, v6 } = lab.network.station("alice").address;
  const moved: Change = {
    op: "put",
    kind: "member",
    key: "office/alice",
    body: { group: "ops", addresses: [v4, v6] },
  };
  await stage("alice to ops, the door to proxy1", [moved, service("door", "any", ["host:proxy1"])]);
  const watch = watchPackets(lab, questions);
  const { code, lines } = await cli(
    "rollout",
    "start",
    "--wait",
    "--strategy",
    "all",
    "--bake",
    "0s",
  );
  const story = lines.join("\n");
  expect(code, story).toBe(0);
  const rounds = await watch.stop();
  const target = await reached(lab, questions);
  expect(target).toEqual(
    new Set(["alice > carol ping", "carol > alice ping", "stranger > proxy1 tcp/4711"]),
  );

  for (const round of rounds) {
    expect([...round].filter((pair) => !old.has(pair) && !target.has(pair))).toEqual([]);
    const [taken, given] = [[...old], [...target]].map((side) =>
      side.some((pair) => round.has(pair)),
    );
    expect({ taken, given }).not.toEqual({ taken: true, given: true });
  }
  // Between the phases nobody has either.
  expect(rounds.some((round) => round.size === 0)).toBe(true);
  const [, id = ""] = /rollout (\d+): /.exec(story) ?? [];
  const waves = (await hostsOf(id)).map(({ host, phase }) => `${phase} ${host}`);
  expect(waves.sort()).toEqual(["narrow gw", "narrow photos1", "widen gw", "widen proxy1"]);
});
