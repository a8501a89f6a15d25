/**
 * Rulesets that somebody who holds every signing key might publish: any that the type admits, sizes up to the limits,
 * and above all such as try to shut management or to open what a guard never opens. Drawn from a seed.
 */
import fc from "fast-check";
import { networkOf, formatNetwork } from "#schema/address.ts";
import { compareText } from "#schema/order.ts";
import type {
  ClassMap,
  NamedSet,
  Protocol,
  Rule,
  Ruleset,
  Scope,
  Source,
} from "#schema/ruleset.ts";
import { emptyRuleset, scopeId, State, Verdict } from "#schema/ruleset.ts";
import { loadableRuleset } from "#test/support/arbitrary-ruleset.ts";
import { families } from "#test/support/hostile-families.ts";
import { inSections, ruleOf } from "#test/support/rulesets.ts";

export interface Hostile {
  /** What it tries, for people. */
  readonly attempt: string;
  readonly ruleset: Ruleset;
}

/** Ways to say everybody, most of it, or enough of it. */
const crowds: readonly (readonly string[])[] = [
  ["0.0.0.0/0"],
  ["::/0"],
  ["0.0.0.0/1", "128.0.0.0/1"],
  ["::/1", "8000::/1"],
  ["2000::/3"],
  ["32.0.0.0/5", "40.0.0.0/6", "44.0.0.0/7"],
  [
    "2400::/12",
    "2410::/12",
    "2600::/12",
    "2630::/12",
    "2800::/12",
    "2a00::/12",
    "2a10::/12",
    "2c00::/12",
  ],
  Array.from({ length: 223 }, (_, i) => `${i + 1}.0.0.0/8`),
  Array.from({ length: 512 }, (_, i) => formatNetwork(networkOf("v4", BigInt(i) << 23n, 9))),
  Array.from({ length: 4_096 }, (_, i) =>
    formatNetwork(networkOf("v6", (0x2400n << 112n) | (BigInt(i) << 104n), 24)),
  ),
];
/** What a guard does not mind. */
const few: readonly (readonly string[])[] = [
  [],
  ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
  ["fc00::/7"],
  ["44.0.0.0/8"],
  ["2600::/20", "2a00::/20"],
];

const sets: fc.Arbitrary<readonly NamedSet[]> = fc
  .array(fc.constantFrom(...crowds, ...few, ...few), { maxLength: 4 })
  .map((drawn) =>
    drawn.map((elements, i) => ({
      name: `n_${i}`,
      kind: "networks" as const,
      elements: [...elements],
    })),
  );

const classSet: NamedSet = { name: "g_one", kind: "addresses", elements: ["10.9.255.255"] };
const classes: fc.Arbitrary<readonly ClassMap[]> = fc.constantFrom<readonly ClassMap[]>(
  [],
  [{ name: "k_a", classes: [{ name: "k_one", set: classSet.name }] }],
);

const guardedPort = fc.constantFrom(22, 2375, 2379, 3306, 5432, 6379, 6443, 9200);
const range = fc.oneof(
  guardedPort.map((port) => ({ from: port, to: port })),
  fc
    .tuple(guardedPort, fc.nat({ max: 60_000 }))
    .map(([from, more]) => ({ from, to: Math.min(65_535, from + more) })),
  fc.constantFrom(
    { from: 443, to: 443 },
    { from: 1, to: 65_535 },
    { from: 1, to: 21 },
    { from: 23, to: 65_535 },
  ),
);
const protocol: fc.Arbitrary<Protocol> = fc.oneof(
  fc.constantFrom<Protocol>(
    { kind: "any" },
    { kind: "icmp", types: null },
    { kind: "icmp", types: { v4: [8], v6: [128] } },
    { kind: "ip", number: 47 },
    { kind: "dhcp", side: "client" },
    { kind: "tcp", ports: { kind: "any" }, sourcePorts: { kind: "any" } },
  ),
  fc.record({
    kind: fc.constantFrom("tcp" as const, "udp" as const),
    ports: fc.record({
      kind: fc.constant("ranges" as const),
      ranges: fc.array(range, { minLength: 1, maxLength: 3 }),
    }),
    sourcePorts: fc.constant({ kind: "any" as const }),
  }),
);

const tunnel: Scope = {
  kind: "overlay",
  name: "a",
  interfaces: ["tun0"],
  subnets: ["10.8.0.0/24", "fd00:8::/64"],
};
/** On devices that are no tunnels, and of everybody. */
const others: readonly Scope[] = [
  { kind: "overlay", name: "b", interfaces: ["mgmt0", "eth0"], subnets: ["10.0.0.0/8"] },
  { kind: "overlay", name: "c", interfaces: ["lo"], subnets: ["10.9.0.0/24"] },
  { kind: "overlay", name: "d", interfaces: ["tun1"], subnets: ["0.0.0.0/0", "::/0"] },
];
const overlays: fc.Arbitrary<readonly Scope[]> = fc.oneof(
  { weight: 8, arbitrary: fc.subarray([tunnel]) },
  { weight: 2, arbitrary: fc.subarray([tunnel, ...others]) },
);

type Drawn = Pick<
  Rule,
  "direction" | "protocol" | "source" | "destination" | "state" | "verdict" | "expires"
>;

const drawnRule = (named: readonly NamedSet[], maps: readonly ClassMap[]): fc.Arbitrary<Drawn> => {
  const set = named.map((one) => ({ kind: "set" as const, set: one.name }));
  const source = fc.constantFrom<Source>(
    { kind: "any" },
    ...set,
    ...set,
    ...maps.map(({ name }) => ({ kind: "class" as const, map: name, class: "k_one" })),
  );
  return fc.record({
    direction: fc.constantFrom("in", "out"),
    protocol,
    source,
    destination: fc.constantFrom({ kind: "any" as const }, ...set),
    state: fc.constantFrom(...State.options),
    verdict: fc.constantFrom(...Verdict.options),
    expires: fc.constantFrom(null, 0, 4_102_444_800),
  });
};

/** Each direction that a scope must judge, ended by any verdict. */
const endsOf = (
  scope: Scope,
  verdicts: readonly Verdict[],
  limitsOutput: boolean,
): readonly Rule[] =>
  (scope.kind === "overlay" ? (["peer", "out", "in"] as const) : (["in", "out"] as const))
    .filter((direction) => scope.kind === "overlay" || direction === "in" || limitsOutput)
    .map((direction, i) =>
      ruleOf({
        scope: scopeId(scope),
        section: "end",
        direction,
        verdict: verdicts[i % verdicts.length] ?? "drop",
        counter: `r_end_${direction}`,
      }),
    );

/** About the host: mostly narrow ends, so that a guard has something to admit. */
const ofHost: fc.Arbitrary<Hostile> = fc
  .tuple(sets, classes, overlays)
  .chain(([named, maps, beside]) =>
    fc
      .tuple(
        fc.array(drawnRule(named, maps), { maxLength: 6 }),
        fc.constantFrom<Verdict>("drop", "drop", "reject", "accept"),
        fc.constantFrom<Verdict>("drop", "drop", "reject", "accept"),
        fc.boolean(),
      )
      .map(([rules, end, out, limitsOutput]) => {
        const scopes: Scope[] = [{ kind: "host" }, ...beside];
        const limited = limitsOutput || rules.some(({ direction }) => direction === "out");
        const [host, ...rest] = scopes;
        return {
          attempt: "rules about the host",
          ruleset: {
            scopes,
            sets: maps.length === 0 ? [...named] : [classSet, ...named],
            classes: [...maps],
            rules: [
              ...inSections(
                rules.map((rule, i) => ruleOf({ scope: "host", counter: `r_${i}`, ...rule })),
              ),
              ...(host === undefined ? [] : endsOf(host, [end, out], limited)),
              ...rest.flatMap((scope) => endsOf(scope, [end, out], limited)),
            ],
          },
        };
      }),
  );

/** Nothing that a guard refuses of what comes in, and everything that goes out refused: what a cut of answers looks like. */
const cutsOutput: fc.Arbitrary<Hostile> = fc
  .tuple(fc.constantFrom<Verdict>("drop", "reject"), protocol)
  .map(([verdict, about]) => ({
    attempt: "output cut",
    ruleset: {
      ...emptyRuleset,
      scopes: [{ kind: "host" }],
      rules: [
        ruleOf({ scope: "host", direction: "out", verdict, counter: "r_cut", protocol: about }),
        ruleOf({
          scope: "host",
          section: "end",
          direction: "in",
          verdict: "drop",
          counter: "r_end_in",
        }),
        ruleOf({ scope: "host", section: "end", direction: "out", verdict, counter: "r_end_out" }),
      ],
    },
  }));

const unjudged: fc.Arbitrary<Hostile> = overlays.map((scopes) => ({
  attempt: "input unjudged",
  ruleset: {
    ...emptyRuleset,
    scopes: [...scopes],
    rules: scopes.flatMap((scope) => endsOf(scope, ["accept"], false)),
  },
}));

/** @param sizes how large, as the families count it */
const ofSize = (sizes: fc.Arbitrary<number>): fc.Arbitrary<Hostile> =>
  fc
    .tuple(fc.constantFrom(...Object.keys(families).toSorted(compareText)), sizes)
    .map(([family, n]) => ({
      attempt: `${family}, ${n}`,
      ruleset: families[family]?.(n) ?? emptyRuleset,
    }));

/** As large as a bundle may be, or as the families make sense. */
const limit = 12_000;

const hostile: fc.Arbitrary<Hostile> = fc.oneof(
  { weight: 40, arbitrary: ofHost },
  {
    weight: 20,
    arbitrary: loadableRuleset.map((ruleset) => ({ attempt: "whatever the type admits", ruleset })),
  },
  { weight: 15, arbitrary: cutsOutput },
  { weight: 5, arbitrary: unjudged },
  { weight: 18, arbitrary: ofSize(fc.integer({ min: 1, max: 400 })) },
  { weight: 2, arbitrary: ofSize(fc.constant(limit)) },
);

const drawnAtOnce = 20;

/** Without end; the same seed gives the same. */
export function* hostileRulesets(seed: number): Generator<Hostile> {
  // One stream of numbers for many: neighbouring seeds begin with much the same numbers.
  for (let from = seed; ; from = (from * 48_271 + 1) % 0x7fff_ffff)
    yield* fc.sample(hostile, { seed: from, numRuns: drawnAtOnce, unbiased: true });
}
