/** What two accepts both accept: one rule, or none, or one for each subnet; never more than either. Pure. */
import type { Ports, Protocol, State } from "#schema/ruleset.ts";
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
  const expires = sooner(x.rule.expires, y.rule.expires);
  return meetEnds(x, y, common, subnets).map((ends): MetRule => {
    const isAll = ({ rule, source, destination }: ResolvedRule): boolean =>
      rule.expires === expires &&
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
      rule: { ...x.rule, protocol, state, expires, row, counter },
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

const sooner = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.min(a, b);

function meetProtocols(a: Protocol, b: Protocol): Protocol | undefined {
  if (a.kind === "any") return b;
  if (b.kind === "any") return a;
  if (a.kind === "icmp" || b.kind === "icmp") return a.kind === b.kind ? a : undefined;
  if (a.kind !== b.kind) return undefined;
  const ports = meetPorts(a.ports, b.ports);
  return ports === undefined ? undefined : { kind: a.kind, ports };
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
const isSameProtocol = (a: Protocol, b: Protocol): boolean => {
  if (a.kind === "any" || a.kind === "icmp" || b.kind === "any" || b.kind === "icmp")
    return a.kind === b.kind;
  return a.kind === b.kind && portsText(a.ports) === portsText(b.ports);
};

const portsText = (ports: Ports): string =>
  ports.kind === "any" ? "any" : ports.ranges.map(({ from, to }) => `${from}-${to}`).join();
