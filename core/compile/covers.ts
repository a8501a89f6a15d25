/**
 * Whether one ruleset accepts every packet that another one accepts: what a change takes and what it gives are questions
 * about packets, not about bytes. Says yes only where it is sure; exact for what the compiler writes. Pure.
 */
import { formatCanonical } from "#schema/canonical.ts";
import { contains, requireNetwork } from "#schema/address.ts";
import type { Direction, Protocol, Rule, Ruleset, Scope } from "#schema/ruleset.ts";
import { scopeId } from "#schema/ruleset.ts";
import { type End, type ResolvedRule, makeResolver } from "./held.ts";
import {
  allSpans,
  meetSpans,
  containsSpans,
  isWithin,
  type Spans,
  spansOf,
  unionOf,
} from "./spans.ts";

export function covers(outer: Ruleset, inner: Ruleset): boolean {
  const [out, inn] = [sideOf(outer), sideOf(inner)];
  return coversHost(out, inn) && coversOverlays(out, inn) && coversArrivals(out, inn);
}

interface Side {
  readonly scopes: readonly Scope[];
  rules(scope: string, direction: Direction): readonly ResolvedRule[] | undefined;
}

function sideOf(ruleset: Ruleset): Side {
  const lists = Map.groupBy(ruleset.rules, (rule) => `${rule.scope} ${rule.direction}`);
  const resolve = makeResolver(ruleset);
  return {
    scopes: ruleset.scopes,
    rules: (scope, direction) => lists.get(`${scope} ${direction}`)?.map(resolve),
  };
}

const isHost = ({ scopes }: Side): boolean => scopes.some(({ kind }) => kind === "host");

function coversHost(outer: Side, inner: Side): boolean {
  if (isHost(outer) !== isHost(inner)) return false;
  return (["in", "out"] as const).every((direction) =>
    coversRules(outer.rules("host", direction), inner.rules("host", direction), none),
  );
}

type Overlay = Extract<Scope, { readonly kind: "overlay" }>;
const overlaysOf = ({ scopes }: Side): readonly Overlay[] =>
  scopes.filter((scope) => scope.kind === "overlay");

const interfacesOf = ({ interfaces }: Overlay): string => interfaces.toSorted().join(" ");

/** What `outer` judges, `inner` judges too, by the same interfaces; what `outer` leaves alone, it accepts. */
function coversOverlays(outer: Side, inner: Side): boolean {
  const twins = new Map(overlaysOf(inner).map((overlay) => [interfacesOf(overlay), overlay]));
  return overlaysOf(outer).every((overlay) => {
    const twin = twins.get(interfacesOf(overlay));
    if (twin === undefined) return false;
    const subnets = { outer: overlay.subnets, inner: twin.subnets };
    return (["peer", "out", "in"] as const).every((direction) =>
      coversRules(
        outer.rules(scopeId(overlay), direction),
        inner.rules(scopeId(twin), direction),
        subnets,
      ),
    );
  });
}

/**
 * Whether what `inner` takes by some interface is spoofed to `outer` neither: by a tunnel of both, by a tunnel of `inner`
 * alone, and from elsewhere. Relies on the tunnels of `outer` being tunnels of `inner`.
 */
function coversArrivals(outer: Side, inner: Side): boolean {
  const [outers, inners] = [outer, inner].map(overlaysOf) as [
    readonly Overlay[],
    readonly Overlay[],
  ];
  const all = (overlays: readonly Overlay[]): Spans =>
    spansOf(overlays.flatMap(({ subnets }) => subnets));
  const known = new Map(outers.map((overlay) => [interfacesOf(overlay), spansOf(overlay.subnets)]));
  return (
    containsSpans(all(inners), all(outers)) &&
    inners.every((overlay) => {
      const [own, twin] = [spansOf(overlay.subnets), known.get(interfacesOf(overlay))];
      return twin === undefined
        ? meetSpans(own, all(outers)).length === 0
        : containsSpans(twin, own);
    })
  );
}

/** What `source-subnet` is about on each side. */
interface Subnets {
  readonly outer: readonly string[];
  readonly inner: readonly string[];
}
const none: Subnets = { outer: [], inner: [] };

/** Undefined: the direction is left alone, which is to accept. */
function coversRules(
  outer: readonly ResolvedRule[] | undefined,
  inner: readonly ResolvedRule[] | undefined,
  subnets: Subnets,
): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  const saying = makeRuleFormats(subnets);
  const [wide, narrow] = [outer.map(saying.outer), inner.map(saying.inner)];
  if (wide.join("\n") === narrow.join("\n")) return true;
  const end = outer.findIndex(({ rule }) => rule.verdict !== "accept");
  // Before anything is refused an accept accepts all that it matches, and no accept accepts more than that.
  const lower = end < 0 ? outer : outer.slice(0, end);
  const known = new Set(wide.slice(0, lower.length));
  const spans = makeEndSpans();
  return inner.every(
    (rule, i) =>
      rule.rule.verdict !== "accept" ||
      known.has(narrow[i] ?? "") ||
      isCovered(rule, lower, subnets, spans),
  );
}

/** What a rule says of packets and of what becomes of them, without names: equal texts mean the same. */
function makeRuleFormats(
  subnets: Subnets,
): Readonly<Record<keyof Subnets, (rule: ResolvedRule) => string>> {
  const numbers = new Map<string, number>();
  const known = new Map<unknown, number>();
  const numberOf = (elements: readonly string[]): number => {
    const text = elements.join(" ");
    const number = known.get(elements) ?? numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    known.set(elements, number);
    return number;
  };
  const listFormats = (own: readonly string[]) => {
    const formatEnd = (end: End) => {
      if (end.kind === "any") return end.kind;
      return end.kind === "held" ? numberOf(end.held.elements) : `subnets ${numberOf(own)}`;
    };
    return ({ rule, source, destination }: ResolvedRule): string => {
      const { protocol, state, expires, verdict } = rule;
      return formatCanonical([
        protocol,
        state,
        expires,
        verdict,
        formatEnd(source),
        formatEnd(destination),
      ]);
    };
  };
  return { outer: listFormats(subnets.outer), inner: listFormats(subnets.inner) };
}

type SpansOf = (end: End) => Spans;

function makeEndSpans(): SpansOf {
  const known = new Map<unknown, Spans>();
  return (end) => {
    if (end.kind !== "held") return allSpans;
    const found = known.get(end.held) ?? spansOf(end.held.elements);
    known.set(end.held, found);
    return found;
  };
}

/** Whether rules that outlive it match all that a rule matches, port by port. */
function isCovered(
  inner: ResolvedRule,
  outer: readonly ResolvedRule[],
  subnets: Subnets,
  spans: SpansOf,
): boolean {
  if (isNobody(inner.source) || isNobody(inner.destination)) return true;
  const lasting = outer.filter(({ rule }) => outlives(rule, inner.rule));
  return segmentsOf(inner.rule.protocol, lasting).every((segment) =>
    reaches(
      inner,
      lasting.filter(({ rule }) => containsSegment(rule.protocol, segment)),
      subnets,
      spans,
    ),
  );
}

const isNobody = (end: End): boolean => end.kind === "held" && end.held.elements.length === 0;

const outlives = (a: Rule, b: Rule): boolean =>
  (a.expires === null || (b.expires !== null && b.expires <= a.expires)) &&
  (a.state === "any" || a.state === b.state);

/** One kind of payload: ports between which no rule tells a difference. */
type Segment =
  | { readonly kind: "icmp" | "other" }
  | { readonly kind: "tcp" | "udp"; readonly from: number; readonly to: number };

const portMax = 65_535;

function segmentsOf(protocol: Protocol, rules: readonly ResolvedRule[]): readonly Segment[] {
  if (protocol.kind === "any")
    return [
      { kind: "icmp" },
      { kind: "other" },
      ...(["tcp", "udp"] as const).flatMap((kind) =>
        segmentsOf({ kind, ports: { kind: "any" } }, rules),
      ),
    ];
  if (protocol.kind === "icmp") return [{ kind: "icmp" }];
  const { kind } = protocol;
  const edges = rules.flatMap(({ rule }) =>
    rule.protocol.kind === kind
      ? rangesOf(rule.protocol).flatMap(({ from, to }) => [from, to + 1])
      : [],
  );
  return rangesOf(protocol).flatMap(({ from, to }) => {
    const starts = [
      ...new Set([from, ...edges.filter((edge) => edge > from && edge <= to)]),
    ].toSorted((a, b) => a - b);
    return starts.map((start, i) => ({ kind, from: start, to: (starts[i + 1] ?? to + 1) - 1 }));
  });
}

const rangesOf = ({ ports }: Extract<Protocol, { readonly ports: unknown }>) =>
  ports.kind === "any" ? [{ from: 0, to: portMax }] : ports.ranges;

function containsSegment(protocol: Protocol, segment: Segment): boolean {
  if (protocol.kind === "any") return true;
  if (protocol.kind !== segment.kind) return false;
  if (protocol.kind === "icmp" || !("from" in segment)) return true;
  return rangesOf(protocol).some(({ from, to }) => from <= segment.from && segment.to <= to);
}

/** Whether some rules together let every source of a rule come to every destination of it. */
function reaches(
  inner: ResolvedRule,
  rules: readonly ResolvedRule[],
  subnets: Subnets,
  spans: SpansOf,
): boolean {
  const target = inner.destination;
  const whole = rules.filter(({ destination }) => containsEnd(destination, target, subnets, spans));
  if (containsSpans(unionOf(...whole.map(({ source }) => spans(source))), spans(inner.source)))
    return true;
  if (
    inner.source.kind !== "held" ||
    inner.source.held.kind === "networks" ||
    target.kind !== "held"
  )
    return false;
  return inner.source.held.elements.every((address) => {
    const from = requireNetwork(address);
    const there = rules
      .filter(({ source }) => isWithin(from, spans(source)))
      .map(({ destination }) =>
        destination.kind === "source-subnet"
          ? spansOf(subnets.outer.filter((subnet) => contains(requireNetwork(subnet), from)))
          : spans(destination),
      );
    return containsSpans(unionOf(...there), spans(target));
  });
}

function containsEnd(outer: End, inner: End, subnets: Subnets, spans: SpansOf): boolean {
  if (outer.kind === "any") return true;
  if (inner.kind === "any") return false;
  if (outer.kind === "held")
    return inner.kind === "held" && containsSpans(spans(outer), spans(inner));
  return (
    inner.kind === "source-subnet" &&
    subnets.inner.every((subnet) =>
      subnets.outer.some((wider) => contains(requireNetwork(wider), requireNetwork(subnet))),
    )
  );
}
