/**
 * Arbitrary cases of the differential test: a ruleset, compiled from an arbitrary catalog, crowded on purpose, or any
 * that the type admits, and packets around what it says: ports at the edges of its ranges, addresses in its sets.
 */
import fc from "fast-check";
import { compile } from "#compile/index.ts";
import { contains, knownNetwork } from "#schema/address.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import type { Hook, Packet, Payload } from "#simulate/index.ts";
import { arbitraryIntent } from "#test/support/arbitraries.ts";
import { arbitraryAllowlist } from "#test/support/arbitrary-allowlist.ts";
import { loadableRuleset } from "#test/support/arbitrary-ruleset.ts";
import type { GroundPlan } from "#test/support/ground.ts";
import { snapshotOf } from "#test/support/intent.ts";
import { addressIn, networkPool } from "#test/support/network-pool.ts";

export interface Case {
  readonly ruleset: Ruleset;
  readonly packets: readonly Packet[];
}

const own = { v4: "192.0.2.1", v6: "2001:db8:1::1" } as const;
const isV6 = (address: string): boolean => address.includes(":");
const ownOf = (address: string): string => (isV6(address) ? own.v6 : own.v4);

/** Arbitrary intent draws its interfaces and addresses from the same. */
export const ground: GroundPlan = {
  interfaces: ["eth0", "mgmt0", "tun-a.0", "wg_0", "tun-a.1", "wg_1"],
  addresses: [
    ...new Set(
      networkPool.flatMap((text) => [0, 1, 2, 3, 4, 5].map((i) => addressIn(knownNetwork(text), i))),
    ),
    "198.51.100.7",
    "10.8.2.1",
    "2001:db8::7",
    "fd00:b::1",
  ],
  own: Object.values(own),
};

const compiled: fc.Arbitrary<Ruleset> = fc.tuple(arbitraryIntent, fc.nat()).map(([rows, pick]) => {
  const result = compile(snapshotOf(rows));
  if (!result.ok) throw new Error(`arbitrary intent does not compile: ${JSON.stringify(result.diagnostics)}`);
  const rulesets = [...result.rulesets.values()].toSorted((a, b) => b.rules.length - a.rules.length);
  const ruleset = rulesets[pick % Math.min(2, rulesets.length)];
  if (ruleset === undefined) throw new Error("arbitrary intent has a host");
  return ruleset;
});

const someRuleset = fc.oneof(
  { weight: 3, arbitrary: compiled },
  { weight: 2, arbitrary: arbitraryAllowlist },
  { weight: 1, arbitrary: loadableRuleset },
);

const edgesOf = ({ rules }: Ruleset): readonly number[] =>
  rules.flatMap(({ protocol }) =>
    protocol.kind === "any" || protocol.kind === "icmp" || protocol.ports.kind === "any"
      ? []
      : protocol.ports.ranges.flatMap(({ from, to }) => [from - 1, from, from, to, to + 1]),
  );

function payloadOf(ruleset: Ruleset): fc.Arbitrary<Payload | "echo"> {
  const ports = edgesOf(ruleset).filter((port) => port > 0 && port < 65_253);
  const port = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(22, 53, 443, ...ports) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 65_000 }) },
  );
  return fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ protocol: fc.constantFrom("tcp" as const, "udp" as const), port }),
    },
    { weight: 1, arbitrary: fc.constant("echo" as const) },
    { weight: 1, arbitrary: fc.record({ protocol: fc.constant("other" as const) }) },
  );
}

interface Draft {
  readonly hook: Hook["hook"];
  readonly iif: string;
  readonly from: string;
  readonly to: string;
  readonly payload: Payload | "echo";
}

function packetOf({ hook, iif, from, to, payload }: Draft, oif: string, at: number): Packet | undefined {
  const source = hook === "output" ? ownOf(to) : from;
  const destination = hook === "input" ? ownOf(from) : to;
  if (isV6(source) !== isV6(destination) || source === destination) return undefined;
  // Without ports, what goes the other way is a reply to conntrack: such packets go one way only.
  if (payload !== "echo" && payload.protocol === "other")
    if (hook === "output" || (hook === "forward" && source > destination)) return undefined;
  const where: Hook =
    hook === "input" ? { hook, iif } : hook === "output" ? { hook, oif } : { hook, iif, oif };
  const sent: Payload = payload === "echo" ? { protocol: "icmp", icmpType: isV6(source) ? 128 : 8 } : payload;
  return { ...where, ...sent, source, destination, state: "new", at };
}

/** What tells packets apart behind our chains, where a forwarded one has lost the interface that it came by. */
const key = (packet: Packet): string =>
  JSON.stringify({ ...packet, at: 0, ...(packet.hook === "forward" ? { iif: "" } : {}) });

/** Packets that one of the host's own rules is about: from its set, to its port or one beside. */
function aimed(ruleset: Ruleset): fc.Arbitrary<Draft> | undefined {
  const elements = new Map(ruleset.sets.map((set) => [set.name, set.elements]));
  const drafts = ruleset.rules.flatMap(({ scope, direction, protocol, source }): Draft[] => {
    if (scope !== "host" || direction !== "in") return [];
    if (protocol.kind === "any" || protocol.kind === "icmp" || protocol.ports.kind === "any") return [];
    const from = source.kind === "set" ? (elements.get(source.set) ?? []) : ground.addresses;
    const inside = ground.addresses.filter((address) =>
      from.some((element) => contains(knownNetwork(element), knownNetwork(address))),
    );
    const { kind, ports } = protocol;
    return inside.flatMap((address) =>
      ports.ranges
        .flatMap((range) => [range.from, range.to])
        .map((port): Draft => ({
          hook: "input",
          iif: "eth0",
          from: address,
          to: address,
          payload: { protocol: kind, port },
        })),
    );
  });
  return drafts.length === 0 ? undefined : fc.constantFrom(...drafts);
}

/** @param count packets, fewer when some were alike; @param at when they are sent, in Unix seconds */
export const arbitraryCase = (count: number, at: number): fc.Arbitrary<Case> =>
  someRuleset.chain((ruleset) => {
    const anywhere: fc.Arbitrary<Draft> = fc.record({
      hook: fc.constantFrom("input", "input", "forward", "forward", "output"),
      iif: fc.constantFrom(...ground.interfaces),
      from: fc.constantFrom(...ground.addresses),
      to: fc.constantFrom(...ground.addresses),
      payload: payloadOf(ruleset),
    });
    const aim = aimed(ruleset);
    const draft = aim === undefined ? anywhere : fc.oneof(anywhere, aim);
    const leaving = fc.array(fc.constantFrom(...ground.interfaces), {
      minLength: ground.addresses.length,
      maxLength: ground.addresses.length,
    });
    return fc
      .tuple(fc.array(draft, { minLength: count, maxLength: count, size: "max" }), leaving)
      .map(([drafts, devices]) => {
        const packets = drafts.flatMap((one) => {
          const packet = packetOf(one, devices[ground.addresses.indexOf(one.to)] ?? "eth0", at);
          return packet === undefined ? [] : [packet];
        });
        return { ruleset, packets: [...new Map(packets.map((packet) => [key(packet), packet])).values()] };
      });
  });
