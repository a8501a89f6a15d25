/**
 * Arbitrary cases of the differential test: a ruleset, compiled from an arbitrary catalog, crowded on purpose, or any
 * that the type admits, a guard, and packets around what they say: ports at the edges of ranges, addresses in sets, in
 * every state of a connection, every kind of ICMP, in fragments and behind further headers.
 */
import fc from "fast-check";
import { compile } from "#core/compile/index.ts";
import { contains, requireNetwork } from "#schema/address.ts";
import type { Guard } from "#schema/guard.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import type { Hook, Packet, Payload } from "#core/simulate/index.ts";
import { arbitraryGuard, arbitraryIntent } from "#test/support/arbitraries.ts";
import { arbitraryAllowlist } from "#test/support/arbitrary-allowlist.ts";
import { loadableRuleset } from "#test/support/arbitrary-ruleset.ts";
import type { Form, Sendable } from "#test/support/frames.ts";
import type { GroundPlan, Shot } from "#test/support/ground.ts";
import { snapshotOf, type WrittenRow } from "#test/support/intent.ts";
import { addressIn, networkPool } from "#test/support/network-pool.ts";
import { largeIntent } from "./large.ts";

export interface Case {
  /** Intent that the ruleset was compiled from, and the host; null where it was not. */
  readonly intent: { readonly rows: readonly WrittenRow[]; readonly host: string } | null;
  readonly ruleset: Ruleset;
  readonly guard: Guard;
  readonly shots: readonly Shot[];
}

type Written = Pick<Case, "intent" | "ruleset">;

const own = { v4: "192.0.2.1", v6: "2001:db8:1::1" } as const;
const isV6 = (address: string): boolean => address.includes(":");
const ownOf = (address: string): string => (isV6(address) ? own.v6 : own.v4);

/** Arbitrary intent and guards draw their interfaces from the same. */
export const ground: GroundPlan = {
  interfaces: ["eth0", "eth1", "mgmt0", "tun-a.0", "wg_0", "tun-a.1", "wg_1"],
  own: Object.values(own),
};

/** Where packets come from and go to. */
const addresses: readonly string[] = [
  ...new Set(
    networkPool.flatMap((text) =>
      [0, 1, 2, 3, 4, 5].map((i) => addressIn(requireNetwork(text), i)),
    ),
  ),
  "198.51.100.7",
  "10.8.2.1",
  "2001:db8::7",
  "fd00:b::1",
];

function compiledFrom(rows: readonly WrittenRow[], pick: number): Written {
  const result = compile(snapshotOf(rows));
  if (!result.ok)
    throw new Error(`arbitrary intent does not compile: ${JSON.stringify(result.diagnostics)}`);
  const rulesets = [...result.rulesets].toSorted(([, a], [, b]) => b.rules.length - a.rules.length);
  const [host, ruleset] = rulesets[pick % Math.min(2, rulesets.length)] ?? [];
  if (host === undefined || ruleset === undefined) throw new Error("arbitrary intent has a host");
  return { intent: { rows, host }, ruleset };
}

const without = (ruleset: Ruleset): Written => ({ intent: null, ruleset });

const written: fc.Arbitrary<Written> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(arbitraryIntent, fc.nat()).map((drawn) => compiledFrom(...drawn)),
  },
  { weight: 4, arbitrary: arbitraryAllowlist.map(without) },
  { weight: 2, arbitrary: loadableRuleset.map(without) },
);

const large: fc.Arbitrary<Written> = largeIntent.map((rows) => compiledFrom(rows, 0));

/** The guard's own edges and those of rules. */
function portsOf({ rules }: Ruleset, { management, output }: Guard): readonly number[] {
  const flows = [...management.allow, ...(output?.allow ?? [])];
  const ranges = [
    ...flows.map(({ port, last_port }) => ({ from: port, to: last_port ?? port })),
    ...rules.flatMap(({ protocol }) =>
      "ports" in protocol && protocol.ports.kind === "ranges" ? protocol.ports.ranges : [],
    ),
  ];
  const edges = ranges.flatMap(({ from, to }) => [from - 1, from, from, to, to + 1]);
  return [22, 53, 443, ...edges.filter((port) => port > 0 && port <= 65_535)];
}

/** A few of each set's elements: its first and last, and those at the seams of what nft reads in one line. */
function elementsOf({ sets }: Ruleset): readonly string[] {
  const places = [0, 1, 499, 500, 501, -2, -1];
  return sets.flatMap(({ elements }) =>
    places.flatMap((place) => {
      const element = elements.at(place);
      if (element === undefined) return [];
      const { family, first, last } = requireNetwork(element);
      const bits = family === "v4" ? 32 : 128;
      return [first - 1n, first, last, last + 1n]
        .filter((value) => value > 0n && value < (1n << BigInt(bits)) - 1n)
        .map((value) => addressIn({ family, first: value, last: value, prefix: bits }, 0));
    }),
  );
}

/** What conntrack makes of an ICMP type that answers nothing (net/netfilter/nf_conntrack_proto_icmp{,v6}.c). */
function icmpState(v6: boolean, type: number): "new" | "invalid" | "untracked" {
  if (v6 && ((type >= 130 && type <= 136) || type === 143)) return "untracked";
  return (v6 ? [128, 139] : [8, 13, 15, 17]).includes(type) ? "new" : "invalid";
}

const icmpTypes = {
  v4: [0, 3, 8, 8, 9, 11, 12, 13, 17, 30],
  v6: [1, 2, 3, 4, 128, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 139, 143, 200],
} as const;

type Kind = "tcp" | "udp" | "icmp" | "other";

interface Draft {
  readonly hook: Hook["hook"];
  readonly iif: string;
  readonly oif: string;
  readonly from: string;
  readonly to: string;
  readonly kind: Kind;
  readonly port: number;
  /** Picks among ICMP types and source ports. */
  readonly pick: number;
  readonly state: "new" | "established" | "invalid";
  readonly form: Form;
}

/** Source ports that a guard or DHCP may look at; each other packet has one of its own. */
const knownPorts = [22, 53, 67, 68, 546, 547] as const;
const firstOwnPort = 10_000;
const ownPorts = 50_000;

function shotOf(draft: Draft, serial: number, at: number): Shot | undefined {
  const { hook, iif, oif, from, to, state } = draft;
  const source = hook === "output" ? ownOf(to) : from;
  const destination = hook === "input" ? ownOf(from) : to;
  if (isV6(source) !== isV6(destination) || source === destination) return undefined;
  const where: Hook =
    hook === "input" ? { hook, iif } : hook === "output" ? { hook, oif } : { hook, iif, oif };
  const said = saidOf(draft, isV6(source), serial);
  if (said === undefined) return undefined;
  // Without ports, what goes the other way is an answer to conntrack: such packets go one way only.
  if (
    said.payload.protocol === "other" &&
    (hook === "output" || (hook === "forward" && source > destination))
  )
    return undefined;
  const packet = {
    ...where,
    ...said.payload,
    source,
    destination,
    state: said.state,
    at,
  } as Packet as Sendable;
  // An answer is a bare header: nothing to cut.
  const whole = packet.protocol === "tcp" && state === "established" && draft.form === "fragments";
  return { packet, form: whole ? "plain" : draft.form };
}

interface Said {
  readonly payload: Payload;
  readonly state: Packet["state"];
}

function saidOf(draft: Draft, v6: boolean, serial: number): Said | undefined {
  const { kind, hook, port, pick, state } = draft;
  switch (kind) {
    case "other":
      return { payload: { protocol: "other" }, state: "new" };
    case "icmp": {
      if (state === "established")
        return { payload: { protocol: "icmp", icmpType: v6 ? 129 : 0 }, state: "established" };
      const types = v6 ? icmpTypes.v6 : icmpTypes.v4;
      const icmpType = types[pick % types.length] ?? 8;
      return { payload: { protocol: "icmp", icmpType }, state: icmpState(v6, icmpType) };
    }
    case "tcp":
    case "udp": {
      // What this host sends is not looked at for its checksum.
      if (kind === "udp" && state === "invalid" && hook === "output") return undefined;
      const known =
        state === "new" && pick % 5 === 0 ? knownPorts[pick % knownPorts.length] : undefined;
      const sourcePort = known ?? firstOwnPort + (serial % ownPorts);
      return { payload: { protocol: kind, port, sourcePort }, state };
    }
  }
}

/**
 * Addresses that intent says, of each kind of row the first and the last, whatever was made of them: a set that lost
 * some is asked for those as well.
 */
function endsSaid(rows: readonly WrittenRow[]): readonly string[] {
  const said = rows.flatMap((row): readonly { readonly kind: string; readonly text: string }[] => {
    switch (row.kind) {
      case "host":
      case "member":
        return (row.body.addresses ?? []).map((text) => ({ kind: row.kind, text }));
      case "zone":
        return (row.body.cidrs ?? []).map((cidr) => ({
          kind: row.kind,
          text: cidr.replace(/\/.*/, ""),
        }));
      case "overlay":
      case "service":
        return [];
    }
  });
  const kinds = [...Map.groupBy(said, ({ kind }) => kind).values()];
  return [
    ...new Set(
      kinds.flatMap((each) => [...each.slice(0, 2), ...each.slice(-12)]).map(({ text }) => text),
    ),
  ];
}

/** Packets that one of the host's own rules is about: from its set, to its port. */
function aimed(
  ruleset: Ruleset,
  said: readonly string[],
): readonly Pick<Draft, "from" | "kind" | "port">[] {
  const elements = new Map(ruleset.sets.map((set) => [set.name, set.elements]));
  return ruleset.rules.flatMap(({ scope, direction, protocol, source }) => {
    if (scope !== "host" || direction !== "in") return [];
    if (protocol.kind !== "tcp" && protocol.kind !== "udp") return [];
    if (protocol.ports.kind === "any") return [];
    const named = source.kind === "set" ? (elements.get(source.set) ?? []) : addresses;
    const inside =
      named.length > 100
        ? [
            ...[named[0], named[499], named[500]].flatMap(
              (text) => text?.replace(/\/.*/, "") ?? [],
            ),
            ...said,
          ]
        : addresses.filter((address) =>
            named.some((element) => contains(requireNetwork(element), requireNetwork(address))),
          );
    const { kind, ports } = protocol;
    return inside.flatMap((from) =>
      ports.ranges.flatMap((range) => [range.from, range.to]).map((port) => ({ from, kind, port })),
    );
  });
}

/**
 * @param index which case of a run it is: every tenth has sets of more than 500 elements
 * @param count packets, fewer where a draft is none
 * @param at when they are sent, in Unix seconds
 * @param serial numbers the first of them
 */
export const arbitraryCase = (
  index: number,
  count: number,
  at: number,
  serial: number,
): fc.Arbitrary<Case> =>
  fc
    .tuple(index % 10 === 1 ? large : written, arbitraryGuard)
    .chain(([{ intent, ruleset }, guard]) => {
      const address = fc.constantFrom(...addresses, ...elementsOf(ruleset));
      const interfaceName = fc.constantFrom(...ground.interfaces);
      const port = fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...portsOf(ruleset, guard)) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 65_535 }) },
      );
      const anywhere: fc.Arbitrary<Draft> = fc.record({
        hook: fc.constantFrom("input", "input", "forward", "forward", "output"),
        iif: interfaceName,
        oif: interfaceName,
        from: address,
        to: address,
        kind: fc.constantFrom("tcp", "tcp", "tcp", "udp", "udp", "udp", "icmp", "icmp", "other"),
        port,
        pick: fc.nat(),
        state: fc.constantFrom("new", "new", "new", "new", "established", "invalid"),
        form: fc.constantFrom("plain", "plain", "plain", "fragments", "headers"),
      });
      const aim = aimed(ruleset, endsSaid(intent?.rows ?? []));
      const draft =
        aim.length === 0
          ? anywhere
          : fc.oneof(
              anywhere,
              fc
                .tuple(anywhere, fc.constantFrom(...aim))
                .map(([any, one]): Draft => ({ ...any, ...one, hook: "input", state: "new" })),
            );
      // A reset that answers what conntrack knows nothing of is a packet of this host's own.
      const answers = ruleset.rules.some(({ verdict }) => verdict === "reject");
      return fc
        .array(draft, { minLength: count, maxLength: count, size: "max" })
        .map((drafts): Case => {
          const shots = drafts.flatMap((one, i) => shotOf(one, serial + i, at) ?? []);
          const kept = shots.filter(
            ({ packet }) => !answers || packet.protocol !== "tcp" || packet.state !== "invalid",
          );
          return { intent, ruleset, guard, shots: kept };
        });
    });
