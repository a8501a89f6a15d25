/**
 * Whether one ruleset accepts every packet that another one accepts: what a change takes and what it gives are questions
 * about packets, not about bytes. Says yes only where it is sure; exact for what the compiler writes. Pure.
 */
import { formatCanonical } from "#schema/canonical.ts";
import { contains, requireNetwork } from "#schema/address.ts";
import {
  anyPorts,
  type Direction,
  listDirections,
  type Protocol,
  type Rule,
  type Ruleset,
  type Scope,
  scopeId,
  type Transport,
  transports,
} from "#schema/ruleset.ts";
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
  return (
    coversHost(out, inn) &&
    coversOverlays(out, inn) &&
    coversArrivals(out, inn) &&
    coversOthers(out, inn)
  );
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

/** Scopes of other kinds are told apart only whole. */
function coversOthers(outer: Side, inner: Side): boolean {
  const [own, others] = [outer, inner].map(({ scopes }) =>
    scopes.filter(({ kind }) => kind !== "host" && kind !== "overlay"),
  );
  if (formatCanonical(own) !== formatCanonical(others)) return false;
  return (own ?? []).every((scope) =>
    listDirections(scope, false).every((direction) => {
      const id = scopeId(scope);
      const subnets = scope.kind === "network" ? scope.subnets : [];
      return coversRules(outer.rules(id, direction), inner.rules(id, direction), {
        outer: subnets,
        inner: subnets,
      });
    }),
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
  // What `outer` denies, `inner` must deny too: by the very rules, for all else is not told apart here.
  const denied = new Set(narrow.filter((_, i) => inner[i]?.rule.section === "deny"));
  if (!outer.every(({ rule }, i) => rule.section !== "deny" || denied.has(wide[i] ?? "")))
    return false;
  // No accept accepts more than it matches.
  const lower = outer.filter(
    ({ rule, source, destination }) =>
      rule.verdict === "accept" && source.kind !== "own" && destination.kind !== "own",
  );
  const known = new Set(wide.filter((_, i) => outer[i]?.rule.verdict === "accept"));
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
    const formatEnd = (end: End): string => {
      switch (end.kind) {
        case "any":
        case "own":
          return end.kind;
        case "held":
        case "outside":
          return `${end.kind} ${numberOf(end.held.elements)}`;
        case "source-subnet":
          return `subnets ${numberOf(own)}`;
      }
    };
    return ({ rule, source, destination }: ResolvedRule): string => {
      return formatCanonical({
        ...rule,
        row: "",
        counter: "",
        scope: "",
        source: formatEnd(source),
        destination: formatEnd(destination),
      });
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

/** Whether a rule is in force whenever another is, by every way that the other takes packets, as often. */
const outlives = (a: Rule, b: Rule): boolean =>
  (a.expires === null || (b.expires !== null && b.expires <= a.expires)) &&
  (a.from === null || (b.from !== null && a.from <= b.from)) &&
  (a.arrives === null || (b.arrives?.every((name) => a.arrives?.includes(name)) ?? false)) &&
  a.rate === null &&
  (a.layer === "l2" || b.layer === "l3") &&
  (a.state === "any" || a.state === b.state);

/**
 * One kind of payload: ports between which no rule tells a difference. `exact` is what one protocol says that has no
 * smaller parts here, such as a few types of ICMP: it is in that very protocol and in any.
 */
type Segment =
  | { readonly kind: "icmp" | "other" }
  | { readonly kind: Transport; readonly from: number; readonly to: number }
  | { readonly kind: "exact"; readonly text: string };

const portMax = 65_535;

const exactOf = (protocol: Protocol): Segment => ({
  kind: "exact",
  text: formatCanonical(protocol),
});

function segmentsOf(protocol: Protocol, rules: readonly ResolvedRule[]): readonly Segment[] {
  if (protocol.kind === "any")
    return [
      { kind: "icmp" },
      { kind: "other" },
      ...transports.flatMap((kind) =>
        segmentsOf({ kind, ports: anyPorts, sourcePorts: anyPorts }, rules),
      ),
    ];
  if (protocol.kind === "icmp" && protocol.types === null) return [{ kind: "icmp" }];
  if (!("ports" in protocol) || protocol.sourcePorts.kind !== "any") return [exactOf(protocol)];
  const { kind } = protocol;
  const edges = rules.flatMap(({ rule }) =>
    "ports" in rule.protocol && rule.protocol.kind === kind
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
  switch (segment.kind) {
    case "other":
      return false;
    case "icmp":
      return protocol.kind === "icmp" && protocol.types === null;
    case "exact":
      return formatCanonical(protocol) === segment.text;
    case "tcp":
    case "udp":
    case "sctp":
      return (
        protocol.kind === segment.kind &&
        protocol.sourcePorts.kind === "any" &&
        rangesOf(protocol).some(({ from, to }) => from <= segment.from && segment.to <= to)
      );
  }
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
  switch (outer.kind) {
    case "any":
      return true;
    case "own":
    case "outside":
      return false;
    case "held":
      return inner.kind === "held" && containsSpans(spans(outer), spans(inner));
    case "source-subnet":
      return (
        inner.kind === "source-subnet" &&
        subnets.inner.every((subnet) =>
          subnets.outer.some((wider) => contains(requireNetwork(wider), requireNetwork(subnet))),
        )
      );
  }
}
