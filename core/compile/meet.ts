/**
 * What two rulesets both allow, as one ruleset: what a host is given while it has lost what a revision takes and got
 * nothing of what it gives. Never wider than either (law 1).
 *
 * Exact for what the compiler writes, accepts and then one end: each pair of accepts gives what both accept, by ports,
 * addresses and time, and counts in the row whose meaning it has. Narrower where the language has no words: for packets
 * by interfaces that have one owner on one side and two, or nobody where its addresses are known, on the other; for
 * directions that are written otherwise and differ; and beyond the most rules that a ruleset holds. Pure, and blind to the order of its two arguments.
 */
import { formatCanonical } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";
import type { Direction, Rule, Ruleset, Scope } from "#schema/ruleset.ts";
import { listDirections, rulesetBounds, scopeId, widest } from "#schema/ruleset.ts";
import { meetRules, type MetRule } from "./common-rule.ts";
import { covers } from "./covers.ts";
import {
  type Common,
  makeSetMeet,
  endWithout,
  type ResolvedRule,
  makeResolver,
  sameEnd,
} from "./held.ts";
import { assemble, type MetDirection } from "./meet-names.ts";
import { findCrossing, meetOthers, meetOverlays } from "./meet-scopes.ts";
import { defaultRow, rowCounter } from "./names.ts";
import { compareAccepts, type Ordered } from "./rule-order.ts";
import type { Spans } from "./spans.ts";

/** Accepts only what both accept. Both must satisfy the `Ruleset` type; so does the answer. */
export function meet(a: Ruleset, b: Ruleset): Ruleset {
  const [one, other] = [formatCanonical(a), formatCanonical(b)];
  if (one === other) return a;
  // The shorter one first, so that of two that mean the same it is the answer.
  const order = one.length - other.length || compareText(one, other);
  const [first, second] = order < 0 ? [a, b] : [b, a];
  if (covers(second, first)) return first;
  return covers(first, second) ? second : meetOf(first, second);
}

function meetOf(a: Ruleset, b: Ruleset): Ruleset {
  const [left, right] = [a, b].map(sideOf) as [Side, Side];
  const common = makeSetMeet();
  const { overlays, nowhere } = meetOverlays(a.scopes, b.scopes);
  const others = meetOthers(a.scopes, b.scopes);
  const crossing = findCrossing(a.scopes, b.scopes);
  const host: Scope = { kind: "host" };
  const overlaid = overlays.flatMap(({ scope, ...owners }) => {
    const interfaces = scope.interfaces.filter((name) => !crossing.has(name));
    return interfaces.length === 0 ? [] : [{ scope: { ...scope, interfaces }, ...owners }];
  });
  const directions = [
    ...(isHost(a) || isHost(b) ? meetHosts(left, right, common) : []),
    ...overlaid.flatMap(({ scope, left: x, right: y, whole }) =>
      (["peer", "out", "in"] as const).map((direction): MetDirection => {
        const lists = [left.rules(x, direction), right.rules(y, direction)];
        const exact = whole || direction === "peer";
        const rules = exact ? meetLists(lists, common, scope.subnets) : closeLists(lists);
        return { scope, direction, rules };
      }),
    ),
    ...others.flatMap(({ scope, left: x, right: y, exact }) =>
      listDirections(scope, false).map((direction): MetDirection => {
        if (!exact) return { scope, direction, rules: [makeEnd(scope, direction)] };
        const lists = [left.rules(x, direction), right.rules(y, direction)];
        const subnets = scope.kind === "network" ? scope.subnets : [];
        return { scope, direction, rules: meetLists(lists, common, subnets) };
      }),
    ),
  ]
    // Where a device is told apart so differently, what an overlay takes for spoofed is not known any more.
    .map((met) => (crossing.size === 0 ? met : { ...met, rules: closeLists([met.rules]) }))
    .map((met) => (isEntering(met) ? { ...met, rules: removeSpoofed(met.rules, nowhere) } : met));
  const scopes = [
    ...(isHost(a) || isHost(b) ? [host] : []),
    ...[...overlaid, ...others].map(({ scope }) => scope),
  ];
  return assemble(scopes, directions);
}

/** What comes in, for the host or into an overlay, and not by an interface that says whose address it is. */
const isEntering = ({ direction }: MetDirection): boolean => direction === "in";

/** Accepts nothing from addresses that may come by no way: what one side takes for spoofed, the other may not. */
function removeSpoofed(rules: readonly MetRule[], nowhere: Spans): readonly MetRule[] {
  if (nowhere.length === 0) return rules;
  if (rules.at(-1)?.rule.verdict === "accept") return closeLists([rules]);
  return rules.flatMap((met): readonly MetRule[] => {
    if (met.rule.verdict !== "accept") return [met];
    const source = endWithout(met.source, nowhere);
    if (source === undefined) return [];
    return sameEnd(source, met.source) ? [met] : [{ ...met, source, origin: "part" }];
  });
}

const isHost = ({ scopes }: Ruleset): boolean => scopes.some(({ kind }) => kind === "host");

/** One of the two rulesets. Undefined: it leaves a direction alone, which is to accept. */
interface Side {
  readonly isHost: boolean;
  rules(scope: Scope | undefined, direction: Direction): readonly ResolvedRule[] | undefined;
}

function sideOf(ruleset: Ruleset): Side {
  const resolve = makeResolver(ruleset);
  const lists = Map.groupBy(ruleset.rules, ({ scope, direction }) => `${scope} ${direction}`);
  return {
    isHost: isHost(ruleset),
    rules: (scope, direction) =>
      scope === undefined ? undefined : lists.get(`${scopeId(scope)} ${direction}`)?.map(resolve),
  };
}

/** Without a scope for the host nothing gets in, and what goes out is left alone. */
function meetHosts(left: Side, right: Side, common: Common): readonly MetDirection[] {
  const scope: Scope = { kind: "host" };
  const lists = (direction: Direction) => [
    left.rules(scope, direction),
    right.rules(scope, direction),
  ];
  const incoming =
    left.isHost && right.isHost ? meetLists(lists("in"), common, []) : closeLists(lists("in"));
  const outgoing = meetLists(lists("out"), common, []);
  return [
    { scope, direction: "in", rules: incoming },
    { scope, direction: "out", rules: outgoing },
  ];
}

type List = readonly ResolvedRule[] | undefined;

const asTheyAre = (rules: readonly ResolvedRule[]): readonly MetRule[] =>
  rules.map((rule) => ({ ...rule, origin: "stays" }));

/** Where a list is undefined the other one decides; where both are, nobody does. */
function meetLists(
  lists: readonly List[],
  common: Common,
  subnets: readonly string[],
): readonly MetRule[] {
  const [x, y = x] = lists.filter((list) => list !== undefined);
  if (x === undefined || y === undefined) return [];
  if (x === y || same(x, y)) return asTheyAre(x);
  if ([x, y].some((rules) => rules.at(-1)?.rule.verdict === "accept")) return closeLists(lists);
  const denied = joinDenies(denies(x), denies(y));
  if (denied === undefined) return closeLists(lists);
  return [...denied, ...meetAccepts(grants(x), grants(y), common, subnets), ...endOf(lists)];
}

const denies = (rules: readonly ResolvedRule[]): readonly ResolvedRule[] =>
  rules.filter(({ rule }) => rule.section === "deny");
const grants = (rules: readonly ResolvedRule[]): readonly ResolvedRule[] =>
  rules.filter(({ rule }) => rule.section === "grant");

/** What either side denies stays denied; what both say alike is said once. Undefined: more than a ruleset holds. */
function joinDenies(
  x: readonly ResolvedRule[],
  y: readonly ResolvedRule[],
): readonly MetRule[] | undefined {
  const others = new Map(x.map((rule) => [formatCanonical(rule.rule), rule]));
  const fresh = y.filter((rule) => {
    const other = others.get(formatCanonical(rule.rule));
    return other === undefined || !sameRule(rule, other);
  });
  if (x.length + fresh.length > rulesetBounds.rules / 4) return undefined;
  const all = [...x, ...fresh].map((rule) => ({ rule, text: formatCanonical(rule.rule) }));
  return asTheyAre(all.toSorted((p, q) => compareText(p.text, q.text)).map(({ rule }) => rule));
}

/** The end of the first list that has one. */
const endOf = (lists: readonly List[]): readonly MetRule[] =>
  asTheyAre(lists.find((list) => list !== undefined)?.slice(-1) ?? []);

/** Drops all of a direction that no rule of either side ends. */
const makeEnd = (scope: Scope, direction: Direction): MetRule => ({
  origin: "stays",
  source: { kind: "any" },
  destination: { kind: "any" },
  rule: {
    ...widest,
    row: defaultRow,
    scope: scopeId(scope),
    section: "end",
    layer: scope.kind === "vnic" ? "l2" : "l3",
    direction,
    verdict: "drop",
    counter: rowCounter(defaultRow),
  },
});

const closeLists = (lists: readonly List[]): readonly MetRule[] =>
  endOf(lists).map((end) => ({ ...end, rule: { ...end.rule, verdict: "drop" } }));

const sameRule = (x: ResolvedRule, y: ResolvedRule): boolean =>
  formatCanonical(x.rule) === formatCanonical(y.rule) &&
  sameEnd(x.source, y.source) &&
  sameEnd(x.destination, y.destination);

const same = (x: readonly ResolvedRule[], y: readonly ResolvedRule[]): boolean =>
  x.length === y.length &&
  x.every((rule, i) => {
    const other = y[i];
    return other !== undefined && sameRule(rule, other);
  });

/**
 * What stands on both sides stays; of the rest each of one side meets each of the other. What one of the rest has in
 * common with what stays lies in what stays.
 */
function meetAccepts(
  x: readonly ResolvedRule[],
  y: readonly ResolvedRule[],
  common: Common,
  subnets: readonly string[],
): readonly MetRule[] {
  const others = new Map(y.map((rule) => [formatCanonical(rule.rule), rule]));
  const staying = x.filter((rule) => {
    const other = others.get(formatCanonical(rule.rule));
    return other !== undefined && sameRule(rule, other);
  });
  const stay = new Set(staying.map(({ rule }) => formatCanonical(rule)));
  const [mine, yours] = [x, y].map((rules) =>
    rules.filter(({ rule }) => !stay.has(formatCanonical(rule))),
  );
  const met = [...asTheyAre(staying)];
  const byPort = makePortIndex(yours ?? []);
  for (const rule of mine ?? [])
    for (const other of byPort(rule)) {
      if (met.length >= rulesetBounds.rules / 2) break;
      met.push(...meetRules(rule, other, common, subnets));
    }
  return met.toSorted((a, b) => compareAccepts(orderedOf(a), orderedOf(b)));
}

const orderedOf = ({ rule, source }: MetRule): Ordered => ({
  rule,
  kind: source.kind === "held" ? source.held.kind : "any",
});

/** Rules whose protocol may meet a rule's: most have one port, and meet few. */
function makePortIndex(
  rules: readonly ResolvedRule[],
): (rule: ResolvedRule) => readonly ResolvedRule[] {
  const exact = Map.groupBy(rules, ({ rule }) => portKeyOf(rule));
  const wide = exact.get(undefined) ?? [];
  return ({ rule }) => {
    const key = portKeyOf(rule);
    return key === undefined ? rules : [...(exact.get(key) ?? []), ...wide];
  };
}

/** Undefined for a rule of more than one port. */
function portKeyOf({ protocol }: Rule): string | undefined {
  if (!("ports" in protocol) || protocol.ports.kind === "any") return undefined;
  const [range, ...more] = protocol.ports.ranges;
  return range !== undefined && more.length === 0 && range.from === range.to
    ? `${protocol.kind} ${range.from}`
    : undefined;
}
