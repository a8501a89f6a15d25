/** What two accepts both accept: one rule, or none, or one for each subnet; never more than either. Pure. */
import { formatCanonical } from "#schema/canonical.ts";
import type { Ports, Protocol, Rule, State } from "#schema/ruleset.ts";
import type { Common, End, AddressSet, ResolvedRule } from "./held.ts";
import { sameEnd } from "./held.ts";
import { networksOf, spansOf } from "./spans.ts";

/** A rule of the meet: one that stands there already, all that one row accepts, or a part of what two rows accept. */
export interface MetRule extends ResolvedRule {
  readonly origin: "stays" | "whole" | "part";
}

/** @param subnets of the met scope, which `source-subnet` is about there */
export function meetRules(
  x: ResolvedRule,
  y: ResolvedRule,
  common: Common,
  subnets: readonly string[],
): readonly MetRule[] {
  const protocol = meetProtocols(x.rule.protocol, y.rule.protocol);
  const state = meetStates(x.rule.state, y.rule.state);
  if (protocol === undefined || state === undefined) return [];
  const when = meetConditions(x.rule, y.rule);
  if (when === undefined) return [];
  return meetEnds(x, y, common, subnets).map((ends): MetRule => {
    const isAll = ({ rule, source, destination }: ResolvedRule): boolean =>
      sameConditions(rule, when) &&
      rule.state === state &&
      isSameProtocol(rule.protocol, protocol) &&
      sameEnd(source, ends.source) &&
      sameEnd(destination, ends.destination);
    const alike = [x, y].filter(isAll);
    const bearers = alike.length > 0 ? alike : [x, y];
    const { row, counter } = bearers
      .map(({ rule }) => rule)
      .reduce((a, b) => (b.row < a.row ? b : a));
    return {
      ...ends,
      rule: { ...x.rule, ...when, protocol, state, row, counter },
      origin: alike.length > 0 ? "whole" : "part",
    };
  });
}

type Ends = Pick<ResolvedRule, "source" | "destination">;

function meetEnds(x: Ends, y: Ends, common: Common, subnets: readonly string[]): readonly Ends[] {
  const source = meetEnd(x.source, y.source, common);
  if (source === undefined) return [];
  const kinds = [x.destination.kind, y.destination.kind];
  if (!kinds.includes("source-subnet") || !kinds.includes("held")) {
    const destination = meetEnd(x.destination, y.destination, common);
    return destination === undefined ? [] : [{ source, destination }];
  }
  const named = x.destination.kind === "held" ? x.destination : y.destination;
  return subnets.flatMap((subnet) => {
    const inside: End = { kind: "held", held: makeSubnetSet(subnet) };
    const [from, to] = [source, named].map((end) => meetEnd(end, inside, common));
    return from === undefined || to === undefined ? [] : [{ source: from, destination: to }];
  });
}

const makeSubnetSet = (subnet: string): AddressSet => ({
  name: null,
  map: null,
  behind: null,
  kind: "networks",
  elements: networksOf(spansOf([subnet])),
});

/** Undefined where nothing is in both. `source-subnet` with `any` is itself: the met scope's subnets lie in its own. */
function meetEnd(a: End, b: End, common: Common): End | undefined {
  if (a.kind === "any") return hasNothing(b) ? undefined : b;
  if (b.kind === "any") return hasNothing(a) ? undefined : a;
  if (a.kind !== "held" || b.kind !== "held") return a;
  const held = common(a.held, b.held);
  return held.elements.length === 0 ? undefined : { kind: "held", held };
}

const hasNothing = (end: End): boolean => end.kind === "held" && end.held.elements.length === 0;

function meetStates(a: State, b: State): State | undefined {
  if (a === "any") return b;
  return b === "any" || a === b ? a : undefined;
}

/** When, by which way and how often a rule matches. */
type Conditions = Pick<Rule, "layer" | "arrives" | "from" | "expires" | "rate" | "log">;

const sameConditions = (rule: Conditions, when: Conditions): boolean =>
  formatCanonical(pickConditions(rule)) === formatCanonical(when);

const pickConditions = ({ layer, arrives, from, expires, rate, log }: Conditions): Conditions => ({
  layer,
  arrives,
  from,
  expires,
  rate,
  log,
});

/** Undefined where no packet meets both. */
function meetConditions(a: Conditions, b: Conditions): Conditions | undefined {
  const arrives = meetNullable(a.arrives, b.arrives, (x, y) =>
    x.filter((name) => y.includes(name)),
  );
  const from = meetNullable(a.from, b.from, Math.max);
  const expires = meetNullable(a.expires, b.expires, Math.min);
  const rate = meetNullable(a.rate, b.rate, (x, y) => ({
    newPerSecond: Math.min(x.newPerSecond, y.newPerSecond),
    burst: Math.min(x.burst, y.burst),
  }));
  if (a.layer !== b.layer || arrives?.length === 0) return undefined;
  if (from !== null && expires !== null && from >= expires) return undefined;
  return { layer: a.layer, arrives, from, expires, rate, log: a.log || b.log };
}

/** null stands for everything. */
const meetNullable = <T>(a: T | null, b: T | null, both: (a: T, b: T) => T): T | null =>
  a === null ? b : b === null ? a : both(a, b);

/** Narrower than exact where one is a kind of the other, such as `nd` and `icmp`: two kinds have nothing in common. */
function meetProtocols(a: Protocol, b: Protocol): Protocol | undefined {
  if (a.kind === "any") return b;
  if (b.kind === "any") return a;
  if (a.kind === "icmp" && b.kind === "icmp") {
    const types = meetNullable(a.types, b.types, (x, y) => ({
      v4: x.v4.filter((type) => y.v4.includes(type)),
      v6: x.v6.filter((type) => y.v6.includes(type)),
    }));
    const hasNone = types !== null && types.v4.length + types.v6.length === 0;
    return hasNone ? undefined : { kind: "icmp", types };
  }
  if ("ports" in a && "ports" in b) {
    if (a.kind !== b.kind) return undefined;
    const ports = meetPorts(a.ports, b.ports);
    const sourcePorts = meetPorts(a.sourcePorts, b.sourcePorts);
    return ports === undefined || sourcePorts === undefined
      ? undefined
      : { kind: a.kind, ports, sourcePorts };
  }
  return formatCanonical(a) === formatCanonical(b) ? a : undefined;
}

function meetPorts(a: Ports, b: Ports): Ports | undefined {
  if (a.kind === "any") return b;
  if (b.kind === "any") return a;
  const ranges = a.ranges.flatMap((x) =>
    b.ranges
      .map((y) => ({ from: Math.max(x.from, y.from), to: Math.min(x.to, y.to) }))
      .filter(({ from, to }) => from <= to),
  );
  return ranges.length === 0 ? undefined : { kind: "ranges", ranges };
}

/** As they are written: two spellings of one list of ports are two. */
const isSameProtocol = (a: Protocol, b: Protocol): boolean =>
  formatCanonical(a) === formatCanonical(b);
