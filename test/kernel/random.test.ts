/** Rulesets far beyond what the compiler makes today: the kernel and `simulate` give one verdict for every packet. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { Guard } from "#schema/guard.ts";
import { type Hook, type Packet, type Payload, prepare } from "#core/simulate/index.ts";
import { loadableRuleset } from "#test/support/arbitrary-ruleset.ts";
import { openReplay, type Replay } from "#test/support/replay.ts";
import { mustRender } from "#test/support/rulesets.ts";
import type { VerdictLine } from "#test/support/verdicts.ts";

/** One interface for each destination, so that all packets can be on their way at once. */
const leaving: Readonly<Record<string, string>> = {
  "10.8.0.1": "tun-a.0",
  "10.8.0.2": "wg_0",
  "10.10.0.7": "tun-a.1",
  "198.51.100.7": "eth0",
  "fd00:8::1": "tun-a.0",
  "fd00:8::2": "wg_0",
  "fd00:a::7": "wg_1",
  "2001:db8::7": "eth0",
};
const coming: readonly (readonly [string, string])[] = [
  ["10.8.0.1", "tun-a.0"],
  ["10.8.0.2", "wg_0"],
  ["10.8.1.3", "tun-a.0"],
  ["10.10.0.7", "tun-a.1"],
  ["198.51.100.7", "eth0"],
  ["fd00:8::2", "tun-a.0"],
  ["fd00:8::1", "tun-a.1"],
  ["fd00:a::7", "wg_1"],
  ["2001:db8::7", "eth0"],
];
const own = { v4: "192.0.2.1", v6: "2001:db8:1::1" } as const;
const guard = Guard.parse({
  management: {
    interfaces: ["wg_1"],
    allow: [
      { cidr: "198.51.100.0/24", proto: "tcp", port: 22 },
      { cidr: "2001:db8::/64", proto: "udp", port: 53 },
    ],
  },
});

/** The same, with what the host may begin narrowed. */
const narrowing = Guard.parse({
  ...guard,
  output: {
    allow: [
      { cidr: "10.8.0.0/23", proto: "tcp", port: 400, last_port: 500 },
      { cidr: "fd00:8::/64", proto: "udp", port: 53 },
    ],
  },
});

const isV6 = (address: string): boolean => address.includes(":");
const payloads = (address: string): readonly Payload[] => [
  { protocol: "icmp", icmpType: isV6(address) ? 128 : 8 },
  { protocol: "tcp", port: 22 },
  { protocol: "udp", port: 53 },
  { protocol: "tcp", port: 443 },
];

/** What the host begins, and answers of its management ports that conntrack has not seen the beginning of. */
const begun: readonly Payload[] = [
  { protocol: "tcp", port: 443 },
  { protocol: "udp", port: 53 },
  { protocol: "udp", port: 4000, sourcePort: 53 },
  { protocol: "tcp", port: 4001, sourcePort: 22 },
];

const packets: readonly Packet[] = [
  ...coming.flatMap(([source, iif], i) =>
    Object.entries(leaving)
      .filter(([destination]) => isV6(destination) === isV6(source) && destination !== source)
      .map(([destination, oif], j) =>
        packetOf({ hook: "forward", iif, oif }, source, destination, i + j),
      ),
  ),
  ...coming.flatMap(([source, iif], i) =>
    [0, 1, 2].map((j) =>
      packetOf({ hook: "input", iif }, source, isV6(source) ? own.v6 : own.v4, i + j),
    ),
  ),
  ...Object.entries(leaving).flatMap(([destination, oif]) =>
    begun.map((payload): Packet => {
      const source = isV6(destination) ? own.v6 : own.v4;
      return { hook: "output", oif, ...payload, source, destination, state: "new" };
    }),
  ),
];

function packetOf(hook: Hook, source: string, destination: string, pick: number): Packet {
  const choices = payloads(source);
  const payload = choices[pick % choices.length] ?? { protocol: "other" };
  return { ...hook, ...payload, source, destination, state: "new" };
}

const lines = packets.map((packet, i): VerdictLine => ({
  text: JSON.stringify(packet),
  number: i,
  host: "gw",
  packet,
  verdict: "drop",
  row: null,
  tally: null,
}));

let replay: Replay;
beforeAll(async () => {
  replay = await openReplay(lines);
});
afterAll(() => replay.destroy());

it("agrees with simulate on every packet of 26 arbitrary rulesets, v4 and v6, loaded one over the other, output open or narrowed", async () => {
  const nft = openNft(spawnExec({ prefix: inNamespace(replay.gateway) }));
  const rulesets = fc.sample(loadableRuleset, { seed: 20_261_121, numRuns: 26 });
  let accepted = 0;
  for (const [i, ruleset] of rulesets.entries()) {
    const judging = i % 2 === 0 ? guard : narrowing;
    const program = mustRender(ruleset, judging);
    await nft.apply(program);
    await nft.readback(program);
    const now = Math.floor(Date.now() / 1000);
    const passed = await replay.sendAll();
    const judge = prepare(ruleset, judging);
    const differing = packets.flatMap((packet, j) => {
      const { verdict, row } = judge({ ...packet, at: now });
      return (verdict === "accept") === passed[j] ? [] : [{ ruleset: i, packet, verdict, row }];
    });
    expect(differing).toEqual([]);
    accepted += passed.filter(Boolean).length;
  }
  const share = accepted / (rulesets.length * packets.length);
  expect(share).toBeGreaterThan(0.2);
  expect(share).toBeLessThan(0.8);
});
