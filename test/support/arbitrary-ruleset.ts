/**
 * Arbitrary rulesets: any that the type admits, far beyond what the compiler makes today, because agents and renderers
 * must cope with whatever is signed.
 */
import fc from "fast-check";
import { compareNetworks, requireNetwork, overlaps } from "#schema/address.ts";
import type {
  ClassMap,
  Destination,
  Direction,
  IcmpTypes,
  NamedSet,
  Ports,
  Protocol,
  Rule,
  Ruleset,
  Scope,
  Section,
  Source,
} from "#schema/ruleset.ts";
import { Direction as Directions, scopeId, State, Verdict, widest } from "#schema/ruleset.ts";
import { compareText } from "#schema/order.ts";
import { arbitraryKey } from "./arbitraries.ts";
import { networkPool } from "./network-pool.ts";

const objectName = fc.stringMatching(/^[a-z][A-Za-z0-9_]{0,8}$/);
const addresses = [
  "10.8.0.1",
  "10.8.0.2",
  "10.8.1.3",
  "10.10.0.7",
  "fd00:8::1",
  "fd00:8::2",
  "fd00:a::7",
];
const sorted = (texts: readonly string[]) =>
  texts.toSorted((a, b) => compareNetworks(requireNetwork(a), requireNetwork(b)));

const namedSet: fc.Arbitrary<NamedSet> = fc.oneof(
  fc.record({
    name: objectName,
    kind: fc.constantFrom("addresses", "hosts"),
    elements: fc.subarray(addresses).map(sorted),
  }),
  fc.record({
    name: objectName,
    kind: fc.constant("networks"),
    elements: fc.subarray([...networkPool]).map(sorted),
  }),
);
/** A class map with the sets of its classes, whose names no other set has. */
interface Classes {
  readonly map: ClassMap;
  readonly sets: readonly NamedSet[];
}

const classMap: fc.Arbitrary<Classes> = fc
  .record({
    name: objectName,
    classes: fc.uniqueArray(objectName, { minLength: 1, maxLength: 3 }),
    members: fc.tuple(
      fc.subarray(addresses).map(sorted),
      fc.array(fc.nat(), { minLength: 7, maxLength: 7 }),
    ),
  })
  .map(({ name, classes, members: [members, picks] }) => {
    const named = classes
      .toSorted(compareText)
      .map((own) => ({ name: own, set: `of_${name}_${own}` }));
    return {
      map: { name, classes: named },
      sets: named.map(({ set }, at) => ({
        name: set,
        kind: "addresses" as const,
        elements: members.filter((_, i) => (picks[i] ?? 0) % named.length === at),
      })),
    };
  });

const scopes: fc.Arbitrary<readonly Scope[]> = fc
  .record({
    host: fc.boolean(),
    overlays: fc.uniqueArray(
      fc.tuple(arbitraryKey, fc.boolean(), fc.subarray([...networkPool], { minLength: 1 })),
      { maxLength: 2, selector: ([key]) => key },
    ),
  })
  .map(({ host, overlays }) => [
    ...(host ? [{ kind: "host" } as const] : []),
    ...overlays
      .toSorted(([a], [b]) => compareText(a, b))
      .map(([name, both, subnets], i) => ({
        kind: "overlay" as const,
        name,
        interfaces: both ? [`tun-a.${i}`, `wg_${i}`] : [`tun-a.${i}`],
        subnets: sorted(subnets),
      })),
  ]);

const portNumber = fc.integer({ min: 1, max: 65_535 });
const ports: fc.Arbitrary<Extract<Protocol, { kind: "tcp" }>["ports"]> = fc.oneof(
  fc.record({ kind: fc.constant("any") }),
  fc.record({
    kind: fc.constant("ranges"),
    ranges: fc.array(
      fc
        .tuple(fc.oneof(fc.constantFrom(22, 53, 443), portNumber), portNumber)
        .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) })),
      { minLength: 1, maxLength: 3 },
    ),
  }),
);
const byte = fc.nat({ max: 255 });
const rising = fc
  .uniqueArray(fc.oneof(fc.constantFrom(0, 8, 13, 128, 129, 200), byte), { maxLength: 3 })
  .map((types) => types.toSorted((a, b) => a - b));
const icmpTypes: fc.Arbitrary<IcmpTypes> = fc
  .record({ v4: rising, v6: rising })
  .filter(({ v4, v6 }) => v4.length + v6.length > 0);
const sourcePorts = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Ports>({ kind: "any" }) },
  { weight: 1, arbitrary: ports },
);
const protocol: fc.Arbitrary<Protocol> = fc.oneof(
  fc.record({ kind: fc.constant("any" as const) }),
  fc.record({ kind: fc.constant("icmp" as const), types: fc.option(icmpTypes) }),
  fc.record({ kind: fc.constantFrom("tcp" as const, "udp" as const), ports, sourcePorts }),
  fc.record({ kind: fc.constantFrom("tcp" as const, "udp" as const), ports, sourcePorts }),
  fc.record({ kind: fc.constant("sctp" as const), ports, sourcePorts }),
  fc.record({ kind: fc.constant("ip" as const), number: fc.constantFrom(2, 47, 50) }),
  fc.record({ kind: fc.constant("dhcp" as const), side: fc.constantFrom("client", "server") }),
);

type SetEnd = Extract<
  Source & Destination,
  { readonly kind: "any" | "set" | "set-except" | "not-set" }
>;

/** @param section a negation stands in denies alone */
function setEnds(sets: readonly NamedSet[], section: Section): readonly SetEnd[] {
  const [first] = sets;
  return [
    { kind: "any" },
    ...sets.map(({ name }) => ({ kind: "set" as const, set: name })),
    ...sets.flatMap(({ name }) =>
      first === undefined ? [] : [{ kind: "set-except" as const, set: name, except: first.name }],
    ),
    ...(section === "deny"
      ? sets.map(({ name }) => ({ kind: "not-set" as const, set: name }))
      : []),
  ];
}

const sourceOf = (
  sets: readonly NamedSet[],
  classes: readonly ClassMap[],
  section: Section,
): fc.Arbitrary<Source> =>
  fc.constantFrom<Source>(
    ...setEnds(sets, section),
    ...classes.flatMap((map) =>
      map.classes.map(({ name }) => ({ kind: "class" as const, map: map.name, class: name })),
    ),
  );
const destinationOf = (
  scope: Scope,
  sets: readonly NamedSet[],
  section: Section,
): fc.Arbitrary<Destination> =>
  fc.constantFrom<Destination>(
    ...setEnds(sets, section),
    ...(scope.kind === "overlay" ? [{ kind: "source-subnet" } as const] : []),
  );

const times = fc
  .tuple(fc.option(fc.nat({ max: 4_102_444_800 })), fc.option(fc.nat({ max: 4_102_444_800 })))
  .map(([from, expires]) => ({
    from: from !== null && expires !== null && from >= expires ? null : from,
    expires,
  }));

/** Devices by which packets come in tests, of overlays or not. */
const arrives = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.subarray(["eth0", "tun-a.0", "wg_0", "tun-a.1"], { minLength: 1 }) },
);

/** Some denies, some grants, and one rule that matches everything. */
function directionRules(
  scope: Scope,
  place: string,
  direction: Direction,
  sets: readonly NamedSet[],
  classes: readonly ClassMap[],
): fc.Arbitrary<Rule[]> {
  const inSection = (section: Section, verdict: Verdict) =>
    fc.array(
      fc
        .record({
          protocol,
          arrives: scope.kind === "host" && direction === "out" ? fc.constant(null) : arrives,
          source: sourceOf(sets, classes, section),
          destination: destinationOf(scope, sets, section),
          state: fc.constantFrom(...State.options),
          times,
        })
        .map(({ times: when, ...said }) => ({ ...widest, ...said, ...when, section, verdict })),
      { maxLength: 3 },
    );
  return fc
    .tuple(
      inSection("deny", "drop"),
      inSection("grant", "accept"),
      fc.constantFrom(...Verdict.options),
    )
    .map(([denies, grants, verdict]) =>
      [...denies, ...grants, { ...widest, section: "end" as const, verdict }].map((rule, i) => ({
        ...rule,
        row: `overlays/x#${direction}/${place}_${i}`,
        scope: scopeId(scope),
        direction,
        counter: `r_${direction}_${place}_${i}`,
      })),
    );
}

/** Any ruleset that satisfies its type. */
export const arbitraryRuleset: fc.Arbitrary<Ruleset> = fc
  .record({
    scopes,
    sets: fc.uniqueArray(namedSet, { maxLength: 3, selector: (set) => set.name }),
    classes: fc.uniqueArray(classMap, { maxLength: 2, selector: ({ map }) => map.name }),
    limitsOutput: fc.boolean(),
  })
  .chain(({ scopes: found, sets: others, classes: mapped, limitsOutput }) => {
    const classes = mapped.map(({ map }) => map);
    const sets = [...others, ...mapped.flatMap((each) => each.sets)];
    const judged = found.flatMap((scope, i) =>
      Directions.options
        .filter((d) => scope.kind === "overlay" || d === "in" || (d === "out" && limitsOutput))
        .map((direction) => directionRules(scope, `${i}`, direction, sets, classes)),
    );
    const byName = (a: { readonly name: string }, b: { readonly name: string }) =>
      compareText(a.name, b.name);
    return fc.tuple(...judged).map((rules) => ({
      scopes: [...found],
      sets: sets.toSorted(byName),
      classes: classes.toSorted(byName),
      rules: rules.flat(),
    }));
  });

/** The kernel refuses an interval set whose elements overlap; the compiler joins them. */
const apart = (ruleset: Ruleset): boolean =>
  ruleset.sets.every((set) => {
    const networks = set.elements.map(requireNetwork);
    return networks.every((a, i) => networks.every((b, j) => i === j || !overlaps(a, b)));
  });

/** The type admits any counter's name, but it must be printable as it is. */
const named = (ruleset: Ruleset): Ruleset => ({
  ...ruleset,
  rules: ruleset.rules.map((rule): Rule => ({ ...rule, counter: `r_${rule.counter}` })),
});

/** Any that the type admits and nft can say. */
export const loadableRuleset: fc.Arbitrary<Ruleset> = arbitraryRuleset.filter(apart).map(named);
