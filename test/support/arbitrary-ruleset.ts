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
  NamedSet,
  Protocol,
  Rule,
  Ruleset,
  Scope,
  Source,
} from "#schema/ruleset.ts";
import { Direction as Directions, scopeId, State, Verdict } from "#schema/ruleset.ts";
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
const classMap: fc.Arbitrary<ClassMap> = fc
  .record({
    name: objectName,
    classes: fc.uniqueArray(objectName, { minLength: 1, maxLength: 3 }),
    members: fc.tuple(
      fc.subarray(addresses).map(sorted),
      fc.array(fc.nat(), { minLength: 7, maxLength: 7 }),
    ),
  })
  .map(({ name, classes, members: [members, picks] }) => ({
    name,
    classes: classes.toSorted(compareText),
    elements: members.flatMap((address, i) => {
      const found = classes[(picks[i] ?? 0) % classes.length];
      return found === undefined ? [] : [{ address, class: found }];
    }),
  }));

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
const protocol: fc.Arbitrary<Protocol> = fc.oneof(
  fc.record({ kind: fc.constantFrom("any", "icmp") }),
  fc.record({ kind: fc.constantFrom("tcp", "udp"), ports }),
);

const sourceOf = (sets: readonly NamedSet[], classes: readonly ClassMap[]): fc.Arbitrary<Source> =>
  fc.constantFrom<Source>(
    { kind: "any" },
    ...sets.map((set) => ({ kind: "set" as const, set: set.name })),
    ...classes.flatMap((map) =>
      map.classes.map((name) => ({ kind: "class" as const, map: map.name, class: name })),
    ),
  );
const destinationOf = (scope: Scope, sets: readonly NamedSet[]): fc.Arbitrary<Destination> =>
  fc.constantFrom<Destination>(
    { kind: "any" },
    ...sets.map((set) => ({ kind: "set" as const, set: set.name })),
    ...(scope.kind === "overlay" ? [{ kind: "source-subnet" } as const] : []),
  );

const everything = {
  protocol: { kind: "any" },
  source: { kind: "any" },
  destination: { kind: "any" },
  state: "any",
  expires: null,
} as const;

type Head = Pick<Rule, "row" | "scope" | "layer" | "direction" | "counter">;
const headOf = (scope: Scope, direction: Direction, name: string): Head => ({
  row: `overlays/x#${direction}/${name}`,
  scope: scopeId(scope),
  layer: "l3",
  direction,
  counter: `r_${direction}_${name}`,
});

/** Some rules, and one that matches everything. */
function directionRules(
  scope: Scope,
  place: string,
  direction: Direction,
  sets: readonly NamedSet[],
  classes: readonly ClassMap[],
): fc.Arbitrary<Rule[]> {
  const matches = fc.record({
    protocol,
    source: sourceOf(sets, classes),
    destination: destinationOf(scope, sets),
    state: fc.constantFrom(...State.options),
    verdict: fc.constantFrom(...Verdict.options),
    expires: fc.option(fc.nat({ max: 4_102_444_800 })),
  });
  return fc
    .tuple(fc.array(matches, { maxLength: 4 }), fc.constantFrom(...Verdict.options))
    .map(([some, last]) =>
      [...some, { ...everything, verdict: last }].map((rule, i) => ({
        ...headOf(scope, direction, `${place}_${i}`),
        ...rule,
      })),
    );
}

/** Any ruleset that satisfies its type. */
export const arbitraryRuleset: fc.Arbitrary<Ruleset> = fc
  .record({
    scopes,
    sets: fc.uniqueArray(namedSet, { maxLength: 3, selector: (set) => set.name }),
    classes: fc.uniqueArray(classMap, { maxLength: 2, selector: (map) => map.name }),
    limitsOutput: fc.boolean(),
  })
  .chain(({ scopes: found, sets, classes, limitsOutput }) => {
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
