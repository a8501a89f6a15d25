import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "#core/compile/index.ts";
import { covers } from "#core/compile/covers.ts";
import { meet } from "#core/compile/meet.ts";
import { formatAddress, requireNetwork, overlaps } from "#schema/address.ts";
import { encodeBundle } from "#schema/bundle.ts";
import type { Ports, Rule, Scope } from "#schema/ruleset.ts";
import { mapClassMembers, dhcpPorts, emptyRuleset, Ruleset, scopeId } from "#schema/ruleset.ts";
import type { Hook, Packet, Payload } from "#core/simulate/index.ts";
import { prepare } from "#core/simulate/index.ts";
import { arbitraryArrival, arbitraryIntent, arbitraryPacket } from "../support/arbitraries.ts";
import { arbitraryCommit } from "../support/arbitrary-commit.ts";
import { arbitraryRuleset } from "../support/arbitrary-ruleset.ts";
import { networkPool } from "../support/network-pool.ts";
import { snapshotOf, type WrittenRow } from "../support/intent.ts";

/** The rulesets of a host before and after a commit, where both compile and both have it. */
const committed: fc.Arbitrary<readonly (readonly [Ruleset, Ruleset])[]> = arbitraryCommit.map(
  ({ before, after }) => {
    const [was, is] = [compile(snapshotOf(before)), compile(snapshotOf(after))];
    if (!was.ok || !is.ok) return [];
    return [...was.rulesets].flatMap(([host, ruleset]) => {
      const next = is.rulesets.get(host);
      return next === undefined || encodeBundle(next).join() === encodeBundle(ruleset).join()
        ? []
        : [[ruleset, next] as const];
    });
  },
);

const choices = fc.array(fc.boolean(), { minLength: 40, maxLength: 40 });

/** Rulesets of intent before and after some of its rows went and some came, host by host where both have one. */
const neighbours = fc
  .tuple(arbitraryIntent, choices, choices)
  .map(([rows, first, second]) => [compiled(rows, first), compiled(rows, second)] as const)
  .map(([a, b]) =>
    [...a].flatMap(([host, ruleset]) => {
      const other = b.get(host);
      return other === undefined ? [] : [[ruleset, other] as const];
    }),
  );

/** Without some of the members, services and zones; nothing when that does not compile. */
function compiled(
  rows: readonly WrittenRow[],
  keep: readonly boolean[],
): ReadonlyMap<string, Ruleset> {
  const kept = rows.filter(
    ({ kind }, i) => kind === "host" || kind === "overlay" || keep[i % keep.length],
  );
  const result = compile(snapshotOf(kept));
  return result.ok ? result.rulesets : new Map();
}

/** Any two, and two that differ in few things. */
const pairs = fc.oneof(
  neighbours,
  fc.tuple(arbitraryRuleset, arbitraryRuleset).map((pair) => [pair]),
  fc.tuple(arbitraryRuleset, fc.nat()).map(([a, n]) => [[a, changed(a, n)] as const]),
);

/** One set, class map, scope or accept less. */
function changed(a: Ruleset, n: number): Ruleset {
  const without = <T>(items: readonly T[]): T[] =>
    items.filter((_, i) => i !== n % (items.length + 1));
  const elements = <T extends { readonly elements: readonly unknown[] }>(item: T): T => ({
    ...item,
    elements: without(item.elements),
  });
  switch (n % 3) {
    case 0:
      return { ...a, sets: a.sets.map(elements) };
    case 1: {
      const left = a.classes.map((map) => ({ ...map, classes: without(map.classes) }));
      const known = new Set(
        left.flatMap((map) => map.classes.map((own) => `${map.name} ${own.name}`)),
      );
      const isKept = ({ source }: Rule): boolean =>
        source.kind !== "class" || known.has(`${source.map} ${source.class}`);
      return { ...a, classes: left, rules: a.rules.filter(isKept) };
    }
    default: {
      const ends = new Set(
        [...Map.groupBy(a.rules, (rule) => `${rule.scope} ${rule.direction}`).values()].map(
          (list) => list.at(-1),
        ),
      );
      const rules = new Set(without(a.rules));
      return { ...a, rules: a.rules.filter((rule) => ends.has(rule) || rules.has(rule)) };
    }
  }
}

/** Packets that each accept of a ruleset is about: its elements, its ports, its interfaces. */
function aimed(ruleset: Ruleset): readonly Packet[] {
  const scopes = new Map(ruleset.scopes.map((scope) => [scopeId(scope), scope]));
  return ruleset.rules
    .filter(({ verdict }) => verdict === "accept")
    .flatMap((rule) => {
      const scope = scopes.get(rule.scope);
      const [sources, destinations] = [
        endsOf(ruleset, rule.source),
        endsOf(ruleset, rule.destination),
      ];
      const ends = sources.flatMap((source) =>
        destinations.map((destination) => ({ source, destination })),
      );
      return ends
        .filter(({ source, destination }) => source.includes(":") === destination.includes(":"))
        .slice(0, 40)
        .map((pair) => ({
          ...hookOf(scope, rule),
          ...payloadOf(rule),
          ...pair,
          state: "new" as const,
        }));
    });
}

function endsOf(
  { sets, classes }: Ruleset,
  match: Rule["source"] | Rule["destination"],
): readonly string[] {
  const named =
    match.kind === "set" ? sets.find(({ name }) => name === match.set)?.elements : undefined;
  const grouped =
    match.kind === "class"
      ? [...(mapClassMembers({ sets, classes }).get(match.map) ?? [])].flatMap(([address, own]) =>
          own === match.class ? [address] : [],
        )
      : undefined;
  return (named ?? grouped ?? [...networkPool]).map((text) => text.replace(/\/.*/, ""));
}

function hookOf(scope: Scope | undefined, { direction }: Rule): Hook {
  if (scope?.kind !== "overlay")
    return direction === "out" ? { hook: "output", oif: "eth0" } : { hook: "input", iif: "eth0" };
  const [first = "", last = first] = [scope.interfaces[0], scope.interfaces.at(-1)];
  return {
    hook: "forward",
    iif: direction === "in" ? "eth0" : first,
    oif: direction === "out" ? "eth0" : last,
  };
}

function payloadOf({ protocol }: Rule): Payload {
  const first = (ports: Ports, other: number): number =>
    ports.kind === "any" ? other : (ports.ranges[0]?.from ?? other);
  switch (protocol.kind) {
    case "any":
    case "arp":
    case "nd":
      return { protocol: "other" };
    case "icmp":
      return { protocol: "icmp", icmpType: protocol.types?.v4[0] ?? protocol.types?.v6[0] ?? 8 };
    case "ip":
      return { protocol: "ip", number: protocol.number };
    case "dhcp":
      return { protocol: "udp", port: dhcpPorts.v4[protocol.side] };
    case "tcp":
    case "udp":
    case "sctp":
      return {
        protocol: protocol.kind,
        port: first(protocol.ports, 443),
        sourcePort: first(protocol.sourcePorts, 40_000),
      };
  }
}

/** Packets at every edge that one of some rulesets knows: ports, addresses, interfaces, times, and what lies beside. */
function universe(rulesets: readonly Ruleset[]): fc.Arbitrary<Packet> {
  const rules = rulesets.flatMap((ruleset) => ruleset.rules);
  const ports = rules.flatMap(({ protocol }) =>
    !("ports" in protocol) || protocol.ports.kind === "any"
      ? []
      : protocol.ports.ranges.flatMap(({ from, to }) => [from - 1, from, to, to + 1]),
  );
  const named = rulesets.flatMap(({ sets }) => sets.flatMap(({ elements }) => elements));
  const subnets = rulesets.flatMap(({ scopes }) =>
    scopes.flatMap((scope) => ("subnets" in scope ? scope.subnets : [])),
  );
  const addresses = [
    ...named,
    ...subnets,
    ...networkPool,
    "198.51.100.7/32",
    "2001:db8::7/128",
  ].flatMap((text) => {
    const { family, first, last } = requireNetwork(text);
    return [first, last].map((value) => formatAddress(family, value));
  });
  const interfaces = rulesets.flatMap(({ scopes }) =>
    scopes.flatMap((scope) => (scope.kind === "overlay" ? scope.interfaces : [])),
  );
  const times = rules.flatMap(({ expires }) => (expires === null ? [] : [expires - 1, expires]));
  const one = <T>(items: readonly T[]) => fc.constantFrom(...new Set(items));
  const device = one(["eth0", ...interfaces]);
  return fc
    .record({
      hook: fc.oneof<fc.Arbitrary<Hook>[]>(
        fc.record({ hook: fc.constant("input"), iif: device }),
        fc.record({ hook: fc.constant("forward"), iif: device, oif: device }),
        fc.record({ hook: fc.constant("forward"), iif: device, oif: device }),
      ),
      payload: fc.oneof<fc.Arbitrary<Payload>[]>(
        fc.record({
          protocol: fc.constantFrom("tcp", "udp"),
          port: one([443, ...ports].filter((port) => port > 0 && port <= 65_535)),
        }),
        fc.record({ protocol: fc.constant("icmp"), icmpType: fc.constantFrom(8, 13, 128, 200) }),
        fc.record({ protocol: fc.constant("other") }),
      ),
      source: one(addresses),
      destination: one(addresses),
      state: fc.constantFrom(
        "new" as const,
        "new" as const,
        "established" as const,
        "untracked" as const,
      ),
      at: one([1_700_000_000, ...times]),
    })
    .filter(({ source, destination }) => source.includes(":") === destination.includes(":"))
    .map(({ hook, payload, ...rest }) => ({ ...hook, ...payload, ...rest }));
}

/** The same with packets about each pair. */
const withPackets = committed.chain((near) =>
  fc.tuple(
    fc.constant(near),
    fc.tuple(
      ...near.map((pair) =>
        fc.array(universe(pair), { minLength: 100, maxLength: 100, size: "max" }),
      ),
    ),
  ),
);

/**
 * What the language of rulesets can say exactly: no interface has neighbours on one side that it lacks on the other, and
 * what only one side has an overlay for lies in no overlay of the other.
 */
function isSayable(a: Ruleset, b: Ruleset): boolean {
  const owners = ({ scopes }: Ruleset) =>
    new Map(
      scopes.flatMap((scope) =>
        scope.kind === "overlay" ? scope.interfaces.map((name) => [name, scope] as const) : [],
      ),
    );
  const alone = (left: ReturnType<typeof owners>, right: ReturnType<typeof owners>): boolean =>
    [...left].every(([name, scope]) => {
      const other = right.get(name);
      const around = [...right.values()].flatMap(({ subnets }) => subnets.map(requireNetwork));
      return other === undefined
        ? !scope.interfaces.some((each) => right.has(each)) &&
            !scope.subnets.some((subnet) =>
              around.some((each) => overlaps(each, requireNetwork(subnet))),
            )
        : other.interfaces.toSorted().join() === scope.interfaces.toSorted().join();
    });
  const [left, right] = [owners(a), owners(b)];
  return alone(left, right) && alone(right, left);
}

describe("the meet of two rulesets", () => {
  test("of neighbours accepts exactly what both accept", () => {
    const seen = { exact: 0, narrower: 0, both: 0, one: 0 };
    fc.assert(
      fc.property(withPackets, ([near, packets]) => {
        for (const [i, [a, b]] of near.entries()) {
          const both = meet(a, b);
          const sayable = isSayable(a, b);
          seen[sayable ? "exact" : "narrower"] += 1;
          const [judge, left, right] = [prepare(both), prepare(a), prepare(b)];
          const wrong = [...(packets[i] ?? []), ...aimed(a), ...aimed(b), ...aimed(both)].filter(
            (packet) => {
              const wanted =
                left(packet).verdict === "accept" && right(packet).verdict === "accept";
              seen[wanted ? "both" : "one"] += 1;
              const found = judge(packet).verdict === "accept";
              return found !== wanted && (sayable || found);
            },
          );
          expect(wrong).toEqual([]);
        }
      }),
      { numRuns: 200 },
    );
    expect(seen.exact, "pairs that the language can say").toBeGreaterThan(100);
    expect(seen.narrower, "pairs that it cannot").toBeLessThan(seen.exact);
    expect(Math.min(seen.both, seen.one), "packets of each kind").toBeGreaterThan(2000);
  });

  test("covers says of neighbours what packets say: neither takes what it is said not to take", () => {
    const seen = { yes: 0, no: 0, wrongly: 0 };
    fc.assert(
      fc.property(withPackets, ([near, packets]) => {
        for (const [i, [a, b]] of near.entries()) {
          const [left, right] = [prepare(a), prepare(b)];
          const taken = [...(packets[i] ?? []), ...aimed(a)].filter(
            (packet) => left(packet).verdict === "accept" && right(packet).verdict !== "accept",
          );
          const said = covers(b, a);
          if (said) expect(taken).toEqual([]);
          seen[said ? "yes" : taken.length > 0 ? "no" : "wrongly"] += 1;
        }
      }),
      { numRuns: 200 },
    );
    expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(20);
    expect(seen.wrongly, "changes said to take what no packet shows").toBeLessThan(seen.no);
  });

  test("accepts no packet that one of the two does not accept", () => {
    fc.assert(
      fc.property(
        pairs,
        fc.array(fc.oneof(arbitraryPacket, arbitraryArrival), { minLength: 15, maxLength: 30 }),
        (near, packets) => {
          for (const [a, b] of near) {
            const both = meet(a, b);
            const [judge, left, right] = [prepare(both), prepare(a), prepare(b)];
            for (const packet of [...packets, ...aimed(both)])
              if (judge(packet).verdict === "accept")
                expect([left(packet).verdict, right(packet).verdict]).toEqual(["accept", "accept"]);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test("is a valid ruleset, and the same bytes whichever comes first", () => {
    fc.assert(
      fc.property(neighbours, arbitraryRuleset, arbitraryRuleset, (near, x, y) => {
        for (const [a, b] of near)
          expect(encodeBundle(meet(a, b))).toEqual(encodeBundle(meet(b, a)));
        for (const [a, b] of [...near, [x, y] as const])
          expect(Ruleset.safeParse(meet(a, b)).error).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  test("of a ruleset and itself is its very bytes, and of nothing judged and anything is that", () => {
    fc.assert(
      fc.property(neighbours, (near) => {
        for (const [a] of near) {
          expect(encodeBundle(meet(a, a))).toEqual(encodeBundle(a));
          expect(encodeBundle(meet(emptyRuleset, a)).length).toBeLessThanOrEqual(
            encodeBundle(a).length,
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  test("of two rulesets where one only takes is the one that takes, byte for byte", () => {
    fc.assert(
      fc.property(arbitraryIntent, choices, (rows, keep) => {
        const all = compile(snapshotOf(rows));
        if (!all.ok) return;
        for (const [host, less] of compiled(rows, keep)) {
          const more = all.rulesets.get(host);
          if (more !== undefined)
            expect(encodeBundle(meet(more, less))).toEqual(encodeBundle(less));
        }
      }),
      { numRuns: 60 },
    );
  });
});
