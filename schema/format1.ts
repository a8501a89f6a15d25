/**
 * Format 1 of a bundle, as agents up to 0.1.0 read it, in and out of the language of today (schema/ruleset.ts). What
 * format 1 has no words for is named with its row, never left out (law 1).
 *
 * It had no sections: denies, grants and the end are told by their verdicts and places. It had no sets for classes: a
 * class map repeated each address with its class.
 */
import * as z from "zod";
import { sortBy } from "./address.ts";
import { anyPorts, ObjectName, Ports, State } from "./match.ts";
import { Address, list, unique } from "./primitives.ts";
import {
  mapClassMembers,
  Direction,
  HostScope,
  NamedSet,
  OverlayScope,
  type Rule,
  RowId,
  type Ruleset,
  rulesetBounds,
  type Scope,
  type Section,
  scopeId,
  UnixSeconds,
  Verdict,
} from "./rule.ts";

const Any = z.strictObject({ kind: z.literal("any") });
const Named = z.strictObject({ kind: z.literal("set"), set: ObjectName });

const Protocol = z.discriminatedUnion("kind", [
  Any,
  z.strictObject({ kind: z.literal("icmp") }),
  z.strictObject({ kind: z.literal("tcp"), ports: Ports }),
  z.strictObject({ kind: z.literal("udp"), ports: Ports }),
]);
const Source = z.discriminatedUnion("kind", [
  Any,
  Named,
  z.strictObject({ kind: z.literal("class"), map: ObjectName, class: ObjectName }),
]);
const Destination = z.discriminatedUnion("kind", [
  Any,
  Named,
  z.strictObject({ kind: z.literal("source-subnet") }),
]);

const OldRule = z.strictObject({
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
  expires: UnixSeconds.nullable(),
});
type OldRule = z.infer<typeof OldRule>;

const OldClassMap = z
  .strictObject({
    name: ObjectName,
    // Said twice, each would be read into a set of its own.
    classes: unique(ObjectName, { max: rulesetBounds.classes }),
    elements: list(z.strictObject({ address: Address, class: ObjectName }), {
      max: rulesetBounds.elements,
    }),
  })
  .check(({ value, issues }) => {
    const known = new Set(value.classes);
    const i = value.elements.findIndex((element) => !known.has(element.class));
    if (i >= 0)
      issues.push({
        code: "custom",
        input: value,
        path: ["elements", i, "class"],
        message: "expected a class of this map",
      });
  });
type OldClassMap = z.infer<typeof OldClassMap>;

const OldScope = z.discriminatedUnion("kind", [HostScope, OverlayScope]);
type OldScope = z.infer<typeof OldScope>;

const isOldScope = (scope: Scope): scope is OldScope =>
  scope.kind === "host" || scope.kind === "overlay";

/** A ruleset as format 1 writes it. */
export const RulesetFormat1 = z.strictObject({
  scopes: list(OldScope, { max: rulesetBounds.scopes }),
  sets: list(NamedSet, { max: rulesetBounds.sets }),
  classes: list(OldClassMap, { max: rulesetBounds.maps }),
  rules: list(OldRule, { max: rulesetBounds.rules }),
});
export type RulesetFormat1 = z.infer<typeof RulesetFormat1>;

/** The same in today's language. Whether its parts fit together, `findInconsistencies` of schema/ruleset-check.ts says. */
export function readFormat1(old: RulesetFormat1): Ruleset {
  const sets = new Map<string, NamedSet>(old.sets.map((set) => [set.name, set]));
  const numbered = nameByNumber(sets);
  const classes = old.classes.map((map) => ({
    name: map.name,
    classes: addClassSets(map, sets, numbered),
  }));
  const lastGrant = new Map<string, number>();
  const last = new Map<string, number>();
  for (const [i, rule] of old.rules.entries()) {
    last.set(placeOf(rule), i);
    if (rule.verdict === "accept") lastGrant.set(placeOf(rule), i);
  }
  const sectionOf = (rule: OldRule, i: number): Section => {
    if (last.get(placeOf(rule)) === i) return "end";
    if (rule.verdict === "accept") return "grant";
    return i > (lastGrant.get(placeOf(rule)) ?? -1) ? "end" : "deny";
  };
  return {
    scopes: old.scopes,
    sets: sets.size === old.sets.length ? old.sets : sortByName([...sets.values()]),
    classes,
    rules: old.rules.map((rule, i) => addWords(rule, sectionOf(rule, i))),
  };
}

const placeOf = ({ scope, direction }: Pick<OldRule, "scope" | "direction">): string =>
  `${scope} ${direction}`;

const sortByName = <T extends { readonly name: string }>(items: readonly T[]): T[] =>
  items.toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** A set for each class: its group's where that holds the very addresses, else one that is added. */
function addClassSets(
  map: OldClassMap,
  sets: Map<string, NamedSet>,
  nextName: () => string,
): { readonly name: string; readonly set: string }[] {
  const members = Map.groupBy(map.elements, (element) => element.class);
  return map.classes.map((name) => {
    const elements = (members.get(name) ?? []).map(({ address }) => address);
    // The compiler names a group's class `k_…` and its set `g_…`.
    const usual = sets.get(`g${name.slice(1)}`);
    if (usual?.kind === "addresses" && usual.elements.join() === elements.join())
      return { name, set: usual.name };
    const set = nextName();
    sets.set(set, { name: set, kind: "addresses", elements });
    return { name, set };
  });
}

/** Names that no set has. The number only rises: names of a hostile bundle, however alike, cost one step each. */
function nameByNumber(taken: ReadonlyMap<string, unknown>): () => string {
  let number = 0;
  return () => {
    for (;;) {
      number += 1;
      const name = `c_${number}`;
      if (!taken.has(name)) return name;
    }
  };
}

function addWords(rule: OldRule, section: Section): Rule {
  const { protocol } = rule;
  return {
    ...rule,
    section,
    arrives: null,
    protocol:
      protocol.kind === "icmp"
        ? { kind: "icmp", types: null }
        : protocol.kind === "any"
          ? protocol
          : { ...protocol, sourcePorts: anyPorts },
    from: null,
    rate: null,
    log: false,
  };
}

/** A rule, or all of a scope, that format 1 cannot say, and why. */
export interface Unsayable {
  readonly row: string;
  readonly why: string;
}

export type InFormat1 =
  | { readonly ok: true; readonly ruleset: RulesetFormat1 }
  | { readonly ok: false; readonly rows: readonly [Unsayable, ...Unsayable[]] };

/** The ruleset in the words of format 1, or what has none. The sets of its classes stay: others may name them. */
export function writeFormat1(ruleset: Ruleset): InFormat1 {
  const foreign = ruleset.scopes
    .filter((scope) => !isOldScope(scope))
    .map((scope) => {
      const id = scopeId(scope);
      const row = ruleset.rules.find((rule) => rule.scope === id)?.row ?? id;
      return { row, why: `scope ${id}` };
    });
  const rules = ruleset.rules.map(removeWords);
  const [first, ...more] = [...foreign, ...rules.flatMap((rule) => ("why" in rule ? [rule] : []))];
  if (first !== undefined) return { ok: false, rows: [first, ...more] };
  const members = mapClassMembers(ruleset);
  return {
    ok: true,
    ruleset: {
      scopes: ruleset.scopes.filter(isOldScope),
      sets: ruleset.sets,
      classes: ruleset.classes.map(({ name, classes }) => ({
        name,
        classes: classes.map((each) => each.name),
        elements: sortBy([...(members.get(name) ?? [])], ([address]) => address).map(
          ([address, own]) => ({ address, class: own }),
        ),
      })),
      rules: rules.flatMap((rule) => ("why" in rule ? [] : [rule])),
    },
  };
}

function removeWords(rule: Rule): OldRule | Unsayable {
  const { section: _, arrives, from, rate, log, layer, ...rest } = rule;
  const { row } = rule;
  const said: [boolean, string][] = [
    [arrives !== null, "arrives"],
    [from !== null, "from"],
    [rate !== null, "rate"],
    [log, "log"],
    [layer !== "l3", `layer ${layer}`],
  ];
  const word = said.find(([is]) => is)?.[1];
  if (word !== undefined || layer !== "l3") return { row, why: word ?? "layer" };
  const { source, destination } = rule;
  const protocol = findOldProtocol(rule.protocol);
  if (protocol === undefined) return { row, why: `protocol ${rule.protocol.kind}` };
  switch (source.kind) {
    case "set-except":
    case "not-set":
    case "own":
      return { row, why: `source ${source.kind}` };
    case "any":
    case "set":
    case "class":
  }
  switch (destination.kind) {
    case "set-except":
    case "not-set":
    case "own":
      return { row, why: `destination ${destination.kind}` };
    case "any":
    case "set":
    case "source-subnet":
      return { ...rest, layer, protocol, source, destination };
  }
}

function findOldProtocol(protocol: Rule["protocol"]): OldRule["protocol"] | undefined {
  switch (protocol.kind) {
    case "any":
      return protocol;
    case "icmp":
      return protocol.types === null ? { kind: "icmp" } : undefined;
    case "tcp":
    case "udp":
      return protocol.sourcePorts.kind === "any"
        ? { kind: protocol.kind, ports: protocol.ports }
        : undefined;
    case "sctp":
    case "ip":
    case "arp":
    case "nd":
    case "dhcp":
      return undefined;
  }
}
