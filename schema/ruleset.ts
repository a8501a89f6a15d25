/**
 * One host's abstract rules: the compiler's output, every renderer's input, and what is signed.
 *
 * Rules are complete, typed and closed, so that an agent applies them without asking why: every match is a closed
 * union, and a renderer that cannot express a member of one refuses the whole ruleset (law 1).
 * Membership is data: sets and class maps. Adding a member changes elements, never rules.
 *
 * Meaning, for `simulate` and every renderer alike:
 * - `host` scope judges the host's own traffic: `in` arrives for it, `out` leaves from it. Without it nothing gets in
 *   but what always passes, and a guard refuses the ruleset.
 * - An `overlay` scope judges forwarded packets only: `peer` came in and leaves by the overlay's interfaces, `out`
 *   came in by one and leaves elsewhere, `in` came from elsewhere. A packet between two scopes is judged by both and
 *   needs `accept` from each; a packet that touches no scope is left alone.
 * - An overlay also says where its addresses are. What came by one of its interfaces with a source outside its subnets,
 *   or by another interface with a source inside them, is spoofed and dropped: of what is forwarded before a rule is
 *   asked, where either interface is an overlay's; of what comes in after what always passes (schema/always.ts). The
 *   sources of `anyArrival` are nobody's and everybody's, and never spoofed.
 * - Within one scope and direction the first rule that matches decides. The last one must match everything
 *   (`unterminated` otherwise), so no packet in a judged direction is ever undecided.
 * - A set or class without elements matches nothing.
 */
import * as z from "zod";
import { invalidCounter } from "./always.ts";
import {
  Address,
  AddressOrCidr,
  Cidr,
  InterfaceName,
  Key,
  list,
  Port,
  unique,
} from "./primitives.ts";
import { unixSecondsMax } from "./time.ts";

/**
 * Most items of each list of a ruleset. No bundle of 4 MiB (`sizeLimits` in schema/bundle.ts) that means something comes
 * near; what a host takes of them is its guard's to say.
 */
export const rulesetBounds = {
  scopes: 1_024,
  interfaces: 1_024,
  subnets: 1_024,
  sets: 65_536,
  elements: 1_048_576,
  maps: 1_024,
  classes: 65_536,
  rules: 65_536,
  ranges: 65_535,
} as const;

/** Name of a set, class map, class or counter inside a ruleset; renderers encode it further. */
export const ObjectName = z
  .string()
  .regex(/^[a-z][A-Za-z0-9_]{0,190}$/, { error: "expected an object name" });

/** The intent row a rule came from, such as `overlays/office#group/dev`. */
export const RowId = z
  .string()
  .regex(/^[a-z]{1,63}\/[A-Za-z0-9._@+/-]{1,200}(#[A-Za-z0-9._@+/-]{1,200})?$/, {
    error: "expected a row id",
  });

/** What rules are about. A hook without a declared scope gets no chain. */
export const Scope = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("host") }),
  z.strictObject({
    kind: z.literal("overlay"),
    name: Key,
    interfaces: unique(InterfaceName, { min: 1, max: rulesetBounds.interfaces }),
    subnets: unique(Cidr, { min: 1, max: rulesetBounds.subnets }),
  }),
]);
export type Scope = z.infer<typeof Scope>;

/** Scope reference in a rule: `host` or `overlay/<name>`. */
export const scopeId = (scope: Scope): string =>
  scope.kind === "host" ? "host" : `overlay/${scope.name}`;

/**
 * Named addresses or networks: sorted, minimal, without overlap. `addresses` and `hosts` are exact matches (a hash in
 * the kernel); `hosts` are few, so a renderer may multiply them by ports for one look-up instead of two.
 */
export const NamedSet = z.strictObject({
  name: ObjectName,
  kind: z.enum(["addresses", "hosts", "networks"]),
  elements: list(AddressOrCidr, { max: rulesetBounds.elements }),
});
export type NamedSet = z.infer<typeof NamedSet>;

/** Address → class. One address is in one class at most, so dispatch is one lookup however many classes there are. */
export const ClassMap = z.strictObject({
  name: ObjectName,
  classes: list(ObjectName, { max: rulesetBounds.classes }),
  elements: list(z.strictObject({ address: Address, class: ObjectName }), {
    max: rulesetBounds.elements,
  }),
});
export type ClassMap = z.infer<typeof ClassMap>;

const Ports = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("any") }),
  z.strictObject({
    kind: z.literal("ranges"),
    ranges: list(
      z.strictObject({ from: Port, to: Port }).refine((r) => r.from <= r.to, "expected from ≤ to"),
      { min: 1, max: rulesetBounds.ranges, tooFew: "expected at least one port range" },
    ),
  }),
]);
export type Ports = z.infer<typeof Ports>;

/** `icmp` is ICMP for IPv4 and ICMPv6 for IPv6. Ports are destination ports. */
export const Protocol = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("any") }),
  z.strictObject({ kind: z.literal("icmp") }),
  z.strictObject({ kind: z.literal("tcp"), ports: Ports }),
  z.strictObject({ kind: z.literal("udp"), ports: Ports }),
]);
export type Protocol = z.infer<typeof Protocol>;

export const Source = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("any") }),
  z.strictObject({ kind: z.literal("set"), set: ObjectName }),
  z.strictObject({ kind: z.literal("class"), map: ObjectName, class: ObjectName }),
]);
export type Source = z.infer<typeof Source>;

/** `source-subnet`: the destination lies in the same subnet of the scope as the source does. */
export const Destination = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("any") }),
  z.strictObject({ kind: z.literal("set"), set: ObjectName }),
  z.strictObject({ kind: z.literal("source-subnet") }),
]);
export type Destination = z.infer<typeof Destination>;

export const Direction = z.enum(["peer", "in", "out"]);
export type Direction = z.infer<typeof Direction>;

export const Verdict = z.enum(["accept", "drop", "reject"]);
export type Verdict = z.infer<typeof Verdict>;

/** Connection state a rule asks for. `any` matches whether or not the packet is tracked. */
export const State = z.enum(["any", "new", "established"]);
export type State = z.infer<typeof State>;

const UnixSeconds = z.int().min(0).max(unixSecondsMax);

export const Rule = z.strictObject({
  row: RowId,
  scope: z.string().max(80),
  layer: z.literal("l3"),
  direction: Direction,
  protocol: Protocol,
  source: Source,
  destination: Destination,
  state: State,
  verdict: Verdict,
  counter: ObjectName,
  /** Unix seconds from which on the rule matches nothing, whoever is offline; null: never. */
  expires: UnixSeconds.nullable(),
});
export type Rule = z.infer<typeof Rule>;

/** Counts what came by a way that is not its source's. */
export const spoofedTally = "c_spoofed";

/**
 * Counters that every overlay on a host shares, by topology and not by verdict: between peers inside one declared
 * subnet or not, from a peer to elsewhere, from elsewhere to a peer; and what is spoofed, which is none of these.
 */
export const tallies = [
  "c_same_subnet",
  "c_cross_subnet",
  "c_egress",
  "c_ingress",
  spoofedTally,
] as const;
export type Tally = (typeof tallies)[number];

/** Unspecified and link-local sources: before a host has an address, and of each link anew. Neighbour discovery lives by them. */
export const anyArrival = ["0.0.0.0/32", "169.254.0.0/16", "::/128", "fe80::/10"] as const;

/** Counters that no rule has for itself. */
const reserved: ReadonlySet<string> = new Set([...tallies, invalidCounter]);

const Shape = z.strictObject({
  scopes: list(Scope, { max: rulesetBounds.scopes }),
  sets: list(NamedSet, { max: rulesetBounds.sets }),
  classes: list(ClassMap, { max: rulesetBounds.maps }),
  rules: list(Rule, { max: rulesetBounds.rules }),
});
export type Ruleset = z.infer<typeof Shape>;

/** Of a ruleset that was made by machine for each of its million elements to be wrong. */
const inconsistenciesMax = 100;

/** Sets and class maps sorted by name, scopes by id, rules in order of evaluation within one scope and direction. */
export const Ruleset: z.ZodType<Ruleset> = Shape.check((ctx) => {
  for (const { path, message } of findInconsistencies(ctx.value)) {
    ctx.issues.push({ code: "custom", input: ctx.value, path: [...path], message });
    if (ctx.issues.length >= inconsistenciesMax) return;
  }
});

export const emptyRuleset: Ruleset = { scopes: [], sets: [], classes: [], rules: [] };

type Path = readonly (string | number)[];
interface Inconsistency {
  readonly path: Path;
  readonly message: string;
}

/** What a well-typed ruleset can still get wrong: dangling names, doubled names, a direction without an end. */
function* findInconsistencies(ruleset: Ruleset): Generator<Inconsistency> {
  yield* findDuplicates(ruleset.scopes.map(scopeId), ["scopes"]);
  yield* findDuplicates(
    ruleset.sets.map((set) => set.name),
    ["sets"],
  );
  yield* findDuplicates(
    ruleset.classes.map((map) => map.name),
    ["classes"],
  );
  const interfaces = ruleset.scopes.flatMap((scope) =>
    scope.kind === "overlay" ? scope.interfaces : [],
  );
  yield* findDuplicates(interfaces, ["scopes"]);
  for (const [i, set] of ruleset.sets.entries()) {
    yield* findDuplicates(set.elements, ["sets", i, "elements"]);
    if (set.kind !== "networks" && set.elements.some((element) => element.includes("/")))
      yield { path: ["sets", i, "elements"], message: "expected addresses, found a network" };
  }
  for (const [i, map] of ruleset.classes.entries()) {
    yield* findDuplicates(
      map.elements.map((element) => element.address),
      ["classes", i, "elements"],
    );
    const known = new Set(map.classes);
    for (const [j, element] of map.elements.entries())
      if (!known.has(element.class))
        yield {
          path: ["classes", i, "elements", j, "class"],
          message: "expected a class of this map",
        };
  }
  yield* findRuleInconsistencies(ruleset);
  yield* findUndecided(ruleset);
}

function* findDuplicates(values: readonly string[], path: Path): Generator<Inconsistency> {
  const seen = new Set<string>();
  for (const [i, value] of values.entries()) {
    if (seen.has(value)) yield { path: [...path, i], message: "expected no duplicates" };
    seen.add(value);
  }
}

function* findRuleInconsistencies(ruleset: Ruleset): Generator<Inconsistency> {
  const scopes = new Map(ruleset.scopes.map((scope) => [scopeId(scope), scope]));
  const sets = new Set(ruleset.sets.map((set) => set.name));
  const classes = new Map(ruleset.classes.map((map) => [map.name, new Set(map.classes)]));
  for (const [i, rule] of ruleset.rules.entries()) {
    const scope = scopes.get(rule.scope);
    if (scope === undefined)
      yield { path: ["rules", i, "scope"], message: "expected a declared scope" };
    if (scope?.kind === "host" && rule.direction === "peer")
      yield { path: ["rules", i, "direction"], message: "expected in or out in scope host" };
    if (scope?.kind === "host" && rule.destination.kind === "source-subnet")
      yield {
        path: ["rules", i, "destination"],
        message: "expected an overlay scope for source-subnet",
      };
    const { source, destination } = rule;
    if (source.kind === "set" && !sets.has(source.set))
      yield { path: ["rules", i, "source", "set"], message: "expected a declared set" };
    if (source.kind === "class" && classes.get(source.map)?.has(source.class) !== true)
      yield { path: ["rules", i, "source", "class"], message: "expected a declared class" };
    if (destination.kind === "set" && !sets.has(destination.set))
      yield { path: ["rules", i, "destination", "set"], message: "expected a declared set" };
    if (reserved.has(rule.counter))
      yield { path: ["rules", i, "counter"], message: "expected a counter of the rule's own" };
  }
}

/** The directions of a scope that must end in a rule that matches everything. */
export const listRuledDirections = (ruleset: Ruleset, scope: Scope): readonly Direction[] =>
  listDirections(
    scope,
    ruleset.rules.some((rule) => rule.scope === "host" && rule.direction === "out"),
  );

const listDirections = (scope: Scope, limitsOutput: boolean): readonly Direction[] => {
  if (scope.kind === "overlay") return ["peer", "out", "in"];
  return limitsOutput ? ["in", "out"] : ["in"];
};

function* findUndecided(ruleset: Ruleset): Generator<Inconsistency> {
  const last = new Map(ruleset.rules.map((rule) => [`${rule.scope} ${rule.direction}`, rule]));
  const limitsOutput = last.has("host out");
  for (const [i, scope] of ruleset.scopes.entries())
    for (const direction of listDirections(scope, limitsOutput)) {
      const end = last.get(`${scopeId(scope)} ${direction}`);
      if (end === undefined || !matchesEverything(end))
        yield {
          path: ["scopes", i],
          message: `expected direction ${direction} to end in a rule that matches everything`,
        };
    }
}

const matchesEverything = (rule: Rule): boolean =>
  rule.protocol.kind === "any" &&
  rule.source.kind === "any" &&
  rule.destination.kind === "any" &&
  rule.state === "any" &&
  rule.expires === null;
