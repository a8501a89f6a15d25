/**
 * What a well-typed ruleset can still get wrong: dangling or doubled names, rules out of their sections, a match that its
 * scope has no meaning for, a direction without an end. Found in order, as they are asked for.
 */
import { invalidCounter } from "./always.ts";
import { listEndSets } from "./match.ts";
import {
  type Direction,
  listDirections,
  listOwnDevices,
  type Rule,
  type Ruleset,
  rulesetBounds,
  type Scope,
  scopeId,
  type Section,
  tallies,
} from "./rule.ts";

type Path = readonly (string | number)[];
export interface Inconsistency {
  readonly path: Path;
  readonly message: string;
}

export function* findInconsistencies(ruleset: Ruleset): Generator<Inconsistency> {
  yield* findDuplicates(ruleset.scopes.map(scopeId), ["scopes"]);
  yield* findDuplicates(ruleset.sets.map(nameOf), ["sets"]);
  yield* findDuplicates(ruleset.classes.map(nameOf), ["classes"]);
  yield* findDuplicates(ruleset.scopes.flatMap(listOwnDevices), ["scopes"]);
  for (const [i, set] of ruleset.sets.entries()) {
    yield* findDuplicates(set.elements, ["sets", i, "elements"]);
    if (set.kind !== "networks" && set.elements.some((element) => element.includes("/")))
      yield { path: ["sets", i, "elements"], message: "expected addresses, found a network" };
  }
  yield* findClassInconsistencies(ruleset);
  yield* findRuleInconsistencies(ruleset);
  yield* findSectionInconsistencies(ruleset);
}

const nameOf = ({ name }: { readonly name: string }): string => name;

function* findDuplicates(values: readonly string[], path: Path): Generator<Inconsistency> {
  const seen = new Set<string>();
  for (const [i, value] of values.entries()) {
    if (seen.has(value)) yield { path: [...path, i], message: "expected no duplicates" };
    seen.add(value);
  }
}

function* findClassInconsistencies({ sets, classes }: Ruleset): Generator<Inconsistency> {
  const byName = new Map(sets.map((set) => [set.name, set]));
  const members = classes
    .flatMap((map) => map.classes)
    .reduce((sum, { set }) => sum + (byName.get(set)?.elements.length ?? 0), 0);
  if (members > rulesetBounds.members) {
    const most = `expected at most ${rulesetBounds.members} members of all classes`;
    yield { path: ["classes"], message: `${most}, found ${members}` };
    return;
  }
  for (const [i, map] of classes.entries()) {
    yield* findDuplicates(map.classes.map(nameOf), ["classes", i, "classes"]);
    yield* findDuplicates(
      map.classes.map(({ set }) => set),
      ["classes", i, "classes"],
    );
    const known = new Set<string>();
    for (const [j, { set }] of map.classes.entries()) {
      const path = ["classes", i, "classes", j, "set"];
      const found = byName.get(set);
      if (found === undefined) yield { path, message: "expected a declared set" };
      else if (found.kind === "networks") yield { path, message: "expected a set of addresses" };
      for (const element of found?.elements ?? []) {
        if (known.has(element)) yield { path, message: "expected each address in one class" };
        known.add(element);
      }
    }
  }
}

/** Counters that no rule has for itself. */
const reserved: ReadonlySet<string> = new Set([...tallies, invalidCounter]);

function* findRuleInconsistencies(ruleset: Ruleset): Generator<Inconsistency> {
  const scopes = new Map(ruleset.scopes.map((scope) => [scopeId(scope), scope]));
  const sets = new Set(ruleset.sets.map(nameOf));
  const classes = new Map(
    ruleset.classes.map((map) => [map.name, new Set(map.classes.map(nameOf))]),
  );
  for (const [i, rule] of ruleset.rules.entries()) {
    const scope = scopes.get(rule.scope);
    if (scope === undefined)
      yield { path: ["rules", i, "scope"], message: "expected a declared scope" };
    else
      for (const { path, message } of findScopeFaults(rule, scope))
        yield { path: ["rules", i, ...path], message };
    const { source, destination } = rule;
    if (listEndSets(source).some((name) => !sets.has(name)))
      yield { path: ["rules", i, "source", "set"], message: "expected a declared set" };
    if (source.kind === "class" && classes.get(source.map)?.has(source.class) !== true)
      yield { path: ["rules", i, "source", "class"], message: "expected a declared class" };
    if (listEndSets(destination).some((name) => !sets.has(name)))
      yield { path: ["rules", i, "destination", "set"], message: "expected a declared set" };
    if (reserved.has(rule.counter))
      yield { path: ["rules", i, "counter"], message: "expected a counter of the rule's own" };
    if (rule.from !== null && rule.expires !== null && rule.from >= rule.expires)
      yield { path: ["rules", i, "from"], message: "expected a time before expires" };
  }
}

/** Matches that have no meaning in a rule's scope. */
function* findScopeFaults(rule: Rule, scope: Scope): Generator<Inconsistency> {
  const { direction, source, destination, layer, protocol } = rule;
  const directions = listDirections(scope, true);
  if (!directions.includes(direction))
    yield {
      path: ["direction"],
      message:
        directions.length === 0
          ? `expected no rule in scope ${rule.scope}`
          : `expected ${directions.join(" or ")} in scope ${rule.scope}`,
    };
  const hasSubnets = scope.kind === "overlay" || scope.kind === "network";
  if (destination.kind === "source-subnet" && !hasSubnets)
    yield {
      path: ["destination"],
      message: "expected an overlay or network scope for source-subnet",
    };
  if ((source.kind === "own" || destination.kind === "own") && scope.kind !== "vnic")
    yield { path: ["source"], message: "expected a vnic scope for own" };
  if (layer === "l2" && scope.kind !== "vnic")
    yield { path: ["layer"], message: "expected a vnic scope for layer l2" };
  if ((protocol.kind === "arp" || protocol.kind === "nd") && layer !== "l2")
    yield { path: ["protocol"], message: `expected layer l2 for ${protocol.kind}` };
  if (layer === "l2" && !framed.has(protocol.kind))
    yield { path: ["protocol"], message: `expected layer l3 for ${protocol.kind}` };
  if (rule.arrives !== null && scope.kind === "host" && direction === "out")
    yield { path: ["arrives"], message: "expected null, as nothing arrives that a host sends" };
}

/** What layer l2 tells apart. */
const framed: ReadonlySet<string> = new Set([
  "any",
  "arp",
  "nd",
  "dhcp",
] satisfies Rule["protocol"]["kind"][]);

const ranks: Readonly<Record<Section, number>> = { deny: 0, grant: 1, end: 2 };
const verdicts: Readonly<Record<Section, readonly Rule["verdict"][]>> = {
  deny: ["drop"],
  grant: ["accept"],
  end: ["accept", "drop", "reject"],
};

function* findSectionInconsistencies({ scopes, rules }: Ruleset): Generator<Inconsistency> {
  const last = new Map<string, Rule>();
  for (const [i, rule] of rules.entries()) {
    const place = placeOf(rule.scope, rule.direction);
    const before = last.get(place);
    last.set(place, rule);
    const path = ["rules", i, "section"];
    if (before?.section === "end" && before.verdict === "accept")
      yield { path, message: "expected no rule after an end that accepts" };
    else if (before !== undefined && ranks[before.section] > ranks[rule.section])
      yield { path, message: `expected ${rule.section} before ${before.section}` };
    if (!verdicts[rule.section].includes(rule.verdict))
      yield {
        path: ["rules", i, "verdict"],
        message: `expected ${verdicts[rule.section].join(" or ")} in section ${rule.section}`,
      };
    const { source, destination } = rule;
    if (rule.section !== "deny" && [source, destination].some(({ kind }) => kind === "not-set"))
      yield { path, message: "expected section deny for not-set" };
    if (rule.section !== "grant" && rule.rate !== null)
      yield { path: ["rules", i, "rate"], message: "expected section grant for a rate" };
  }
  const limitsOutput = last.has(placeOf("host", "out"));
  for (const [i, scope] of scopes.entries())
    for (const direction of listDirections(scope, limitsOutput)) {
      const end = last.get(placeOf(scopeId(scope), direction));
      if (end?.section !== "end" || !matchesEverything(end, scope))
        yield {
          path: ["scopes", i],
          message: `expected direction ${direction} to end in a rule that matches everything`,
        };
    }
}

const placeOf = (scope: string, direction: Direction): string => `${scope} ${direction}`;

const matchesEverything = (rule: Rule, scope: Scope): boolean =>
  rule.layer === (scope.kind === "vnic" ? "l2" : "l3") &&
  rule.arrives === null &&
  rule.protocol.kind === "any" &&
  rule.source.kind === "any" &&
  rule.destination.kind === "any" &&
  rule.state === "any" &&
  rule.from === null &&
  rule.expires === null;
