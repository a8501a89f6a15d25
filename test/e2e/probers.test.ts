/** What the lab believes of packets: never silence, always what was seen, however slow the machine and lossy the way. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inNamespace, newPrefix } from "#lab/net/netns.ts";
import {
  type Answered,
  askOf,
  openProbers,
  type Place,
  type Probe,
  type ProberOptions,
} from "#lab/net/probe.ts";
import { CannotTell, must } from "#lab/run/process.ts";
import { type LabState, openState } from "#lab/net/state.ts";
import {
  buildTopology,
  namespacesOf,
  type Topology,
  type TopologyPlan,
} from "#lab/net/topology.ts";
import { newData, startLab, testData } from "./lab-process.ts";

const gateway = { v4: "10.8.0.1", v6: "fd00:8::1" };
const left = { v4: "10.8.0.11", v6: "fd00:8::11" };
const right = { v4: "10.9.0.12", v6: "fd00:9::12" };

const data = newData();
let state: LabState;
let topology: Topology;
let places: { readonly gw: Place; readonly left: Place; readonly right: Place };

beforeEach(async () => {
  const opened = await openState(data);
  if (opened === undefined) throw new Error("another lab holds this folder");
  state = opened;
  const plan: TopologyPlan = {
    prefix: newPrefix(),
    gateway: { interfaces: ["left0", "right0"], addresses: Object.values(gateway) },
    machines: [
      { name: "left", behind: "left0", addresses: Object.values(left) },
      { name: "right", behind: "right0", addresses: Object.values(right) },
    ],
  };
  state.willMake(namespacesOf(plan));
  topology = await buildTopology(plan);
  places = {
    gw: { name: "gw", namespace: topology.gateway, address: gateway },
    left: { name: "left", namespace: topology.machine("left"), address: left },
    right: { name: "right", namespace: topology.machine("right"), address: right },
  };
});
afterEach(async () => {
  await state.sweep();
  state.release();
  rmSync(data, { recursive: true, force: true });
});

const load = (namespace: string, text: string): Promise<string> =>
  must(inNamespace(namespace, "nft", "-f", "-"), { input: text });

/** A table that drops what matches, where the packets pass. */
const dropping = (hook: string, match: string, verdict = "drop"): string =>
  `table inet rules { chain c { type filter hook ${hook} priority -10; policy accept; ${match} ${verdict}; }; }`;

const texts = ["ping", "tcp/22", "tcp/53", "tcp/443", "udp/53", "udp/4711"];
const open: Answered = { v4: true, v6: true };
const shut: Answered = { v4: false, v6: false };

/** Everybody asks everybody. @returns what each probe is called, with its answer */
async function answers(options?: ProberOptions): Promise<readonly (readonly [string, Answered])[]> {
  const all = Object.values(places);
  const asks = texts.map(askOf);
  const probers = await openProbers(all, state, options);
  try {
    await probers.listen(asks);
    const probes = all.flatMap((to) =>
      all
        .filter((from) => from !== to)
        .flatMap((from) => asks.map((ask): Probe => ({ from, to, ask }))),
    );
    const answered = await probers.answers(probes);
    return probes.map(({ from, to, ask }, i) => [
      `${from.name} > ${to.name} ${ask.text}`,
      answered[i] ?? shut,
    ]);
  } finally {
    await probers.close();
  }
}

const names = ["gw", "left", "right"];
const every = names.flatMap((to) =>
  names
    .filter((from) => from !== to)
    .flatMap((from) => texts.map((text) => `${from} > ${to} ${text}`)),
);
const expected = (isOpen: (name: string) => boolean): readonly (readonly [string, Answered])[] =>
  every.map((name) => [name, isOpen(name) ? open : shut]);

test("a prober whose loop stands still while it starts its questions takes none of them for shut", async () => {
  const preload = fileURLToPath(new URL("../support/slow-spawn.mjs", import.meta.url));
  const env = { ...process.env, NODE_OPTIONS: `--import=${preload}`, SLOW_SPAWN_MS: "700" };
  expect(await answers({ env })).toEqual(expected(() => true));
});

test("what is open is found open, and what is shut shut, where a third of all packets is lost", async () => {
  await load(topology.gateway, dropping("forward", "tcp dport 443"));
  for (const device of ["left0", "right0"]) {
    const lost = "meta l4proto { tcp, udp, icmp, icmpv6 } numgen random mod 3 < 1";
    await load(topology.hub(device), dropping("forward", lost));
  }
  const forwarded = (name: string): boolean => !name.includes("gw") && name.endsWith("tcp/443");
  expect(await answers()).toEqual(expected((name) => !forwarded(name)));
});

test.each([
  [
    "where it arrives",
    "right",
    "input",
    "tcp dport 22",
    "drop",
    (n: string) => / > right tcp\/22/.test(n),
  ],
  ["on its way", "gw", "forward", "meta l4proto icmp", "drop", () => false],
  [
    "where it begins",
    "left",
    "output",
    "udp dport 53",
    "drop",
    (n: string) => /^left > .* udp\/53/.test(n),
  ],
  [
    "by its answer",
    "right",
    "output",
    "udp sport 53",
    "drop",
    (n: string) => / > right udp\/53/.test(n),
  ],
  [
    "by reject",
    "right",
    "input",
    "tcp dport 53",
    "reject",
    (n: string) => / > right tcp\/53/.test(n),
  ],
] as const)(
  "a packet that a rule drops %s is shut, and nothing else is",
  async (_, at, hook, match, verdict, isShut) => {
    await load(places[at].namespace, dropping(hook, match, verdict));
    const onlyV4 = (name: string): boolean =>
      match.includes("icmp") && /^(left|right) > (left|right) ping/.test(name);
    const wanted = expected((name) => !isShut(name)).map(([name, answer]) =>
      onlyV4(name) ? ([name, { v4: false, v6: true }] as const) : ([name, answer] as const),
    );
    expect(await answers()).toEqual(wanted);
  },
);

test("a packet that vanishes where nobody looks is no verdict", async () => {
  await load(topology.hub("left0"), dropping("forward", "udp dport 53"));
  const asking = answers({ patienceMs: 1_000 });
  await expect(asking).rejects.toThrow(CannotTell);
  await expect(asking).rejects.toThrow(/neither answered nor seen to be dropped: .*udp\/53 v[46]/);
});

test("npm start without an answer to tell by exits 3, says why, and removes what it made", async () => {
  const own = testData();
  const bin = join(own, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "ping"), "#!/bin/sh\nexec sleep 600\n");
  chmodSync(join(bin, "ping"), 0o755);
  const env = { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  const lab = startLab("main", ["--once", "--port", "0", "--data", own, "--patience", "1"], env);
  expect(await lab.ended).toBe(3);
  expect(lab.stderr()).toMatch(
    /^lab: too busy to tell, or something broke: .* ping v4 \(sent, never seen\)/m,
  );
  const [prefix = ""] = /pc[0-9a-f]{8}/.exec(lab.stdout()) ?? [];
  expect(await must(["ip", "netns", "list"])).not.toContain(prefix);
});
