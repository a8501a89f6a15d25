/**
 * Which new flows one ruleset accepts and another does not: what a change opens, and with both swapped, what it closes.
 * Rules are taken as the compiler writes them: in each scope and direction rules that accept, then one that ends it. So
 * what a direction accepts is the union of its accepts, and a difference is exact in ports, addresses and time. Pure.
 */
import { formatCanonical } from "#schema/canonical.ts";
import {
  type Destination,
  type Direction,
  type ClassMap,
  type NamedSet,
  type Rule,
  type Ruleset,
  type Scope,
  scopeId,
  type Source,
} from "#schema/ruleset.ts";
import { formatName } from "./describe.ts";
import { holds, piecesOf, type PortRange, portsOf, formatPorts } from "./ports.ts";
import {
  everywhere,
  isSame,
  meet,
  subtractRanges,
  type Ranges,
  rangesOf,
  union,
} from "./ranges.ts";

/** One end of flows: by name where all of what the name means is meant. */
export interface Peers {
  /** Such as `zone lan` or `any`; null where it is a part of it. */
  readonly name: string | null;
  readonly ranges: Ranges;
}

export interface Opening {
  /** `host`, or `overlay/office`. */
  readonly scope: string;
  readonly direction: Direction;
  /** Such as `tcp 443,8000-8010`; `any` is every protocol. */
  readonly what: string;
  readonly from: Peers;
  readonly to: Peers;
  /** Unix seconds; null: without end. */
  readonly until: number | null;
  readonly row: string;
}

/** In order of evaluation; found as they are asked for, so that the first of very many cost little. */
export function* findOpenings(before: Ruleset, after: Ruleset): Generator<Opening> {
  const [old, now] = addUnlimitedOutput(before, after);
  const isKept = makeKeptCheck(old, now);
  const fresh = now.rules.filter((rule) => isAccept(rule) && !isKept(rule));
  const asked = new Set(fresh.map(placeOf));
  const others = acceptsOf(
    old,
    old.rules.filter((rule) => isAccept(rule) && asked.has(placeOf(rule))),
  );
  const known = new Set(others.map(({ key }) => key));
  const places = new Map(
    [...Map.groupBy(others, ({ rule }) => placeOf(rule))].map(([place, own]) => [
      place,
      coverOf(own),
    ]),
  );
  for (const accept of acceptsOf(now, fresh))
    if (!known.has(accept.key))
      yield* findRemaining(accept, places.get(placeOf(accept.rule)) ?? coverOf([]));
}

/** New flows only: what is established was new once. */
const isAccept = ({ verdict, state }: Rule): boolean =>
  verdict === "accept" && state !== "established";
const placeOf = ({ scope, direction }: Rule): string => `${scope} ${direction}`;

/**
 * What a host begins passes where no rule judges it. Where one of two rulesets judges it and the other does not, that is
 * a rule like any other.
 */
function addUnlimitedOutput(before: Ruleset, after: Ruleset): readonly [Ruleset, Ruleset] {
  const both = [before, after];
  const compares = both.every(hasHost) && both.some(({ rules }) => rules.some(isOut));
  const whole = (ruleset: Ruleset): Ruleset =>
    compares && !ruleset.rules.some(isOut)
      ? { ...ruleset, rules: [...ruleset.rules, unjudged] }
      : ruleset;
  return [whole(before), whole(after)];
}

const hasHost = ({ scopes }: Ruleset): boolean => scopes.some(({ kind }) => kind === "host");
const isOut = ({ scope, direction }: Rule): boolean => scope === "host" && direction === "out";

const unjudged: Rule = {
  row: "defaults/host#out",
  scope: "host",
  layer: "l3",
  direction: "out",
  protocol: { kind: "any" },
  source: { kind: "any" },
  destination: { kind: "any" },
  state: "any",
  verdict: "accept",
  counter: "r_out",
  expires: null,
};

/** Flows from these addresses to those. */
interface Box {
  readonly source: Ranges;
  readonly destination: Ranges;
}

/** One accepting rule with what its names mean. */
interface Accept {
  readonly rule: Rule;
  readonly ports: readonly PortRange[];
  readonly boxes: readonly Box[];
  /** Equal for rules that accept the same flows, by the same row or another. */
  readonly key: string;
}

/**
 * Whether a rule stands on both sides and means the same, told without reading addresses: most rules of a change do.
 */
function makeKeptCheck(before: Ruleset, after: Ruleset): (rule: Rule) => boolean {
  const rules = new Set(before.rules.map((rule) => formatCanonical(rule)));
  const [old, now] = [before, after].map(
    ({ scopes, sets, classes }) =>
      new Map(
        [...sets, ...classes, ...scopes].map((named) => [nameOf(named), formatCanonical(named)]),
      ),
  );
  const isSameName = (name: string): boolean => old?.get(name) === now?.get(name);
  return (rule) => rules.has(formatCanonical(rule)) && namesIn(rule).every(isSameName);
}

const nameOf = (named: Scope | NamedSet | ClassMap): string =>
  "interfaces" in named ? `scope ${scopeId(named)}` : "name" in named ? named.name : "scope host";

const namesIn = ({ source, destination, scope }: Rule): readonly string[] => [
  ...(source.kind === "set" ? [source.set] : source.kind === "class" ? [source.map] : []),
  ...(destination.kind === "set" ? [destination.set] : []),
  ...(destination.kind === "source-subnet" ? [`scope ${scope}`] : []),
];

function acceptsOf(ruleset: Ruleset, rules: readonly Rule[]): readonly Accept[] {
  const ranges = makeRangeLookup(ruleset);
  const subnets = new Map(
    ruleset.scopes.map((scope) => [scopeId(scope), scope.kind === "overlay" ? scope.subnets : []]),
  );
  return rules.map((rule) => {
    const boxes = boxesOf(rule, ranges, subnets.get(rule.scope) ?? []);
    const { scope, direction, protocol, expires } = rule;
    const texts = boxes.map((box) => [textOf(box.source), textOf(box.destination)]);
    const key = formatCanonical([scope, direction, protocol, expires, texts]);
    return { rule, ports: portsOf(protocol), boxes, key };
  });
}

const textOf = (ranges: Ranges): string => ranges.map(([first, last]) => `${first}-${last}`).join();

/** What each set and class means, read when it is asked for and once. */
function makeRangeLookup({ sets, classes }: Ruleset): (name: string) => Ranges {
  const known = new Map<string, Ranges>();
  const elements = new Map<string, () => readonly string[]>([
    ...sets.map((set) => [setName(set.name), () => set.elements] as const),
    ...classes.flatMap((map) =>
      map.classes.map((name) => {
        const own = (): readonly string[] =>
          map.elements.filter((each) => each.class === name).map(({ address }) => address);
        return [className(map.name, name), own] as const;
      }),
    ),
  ]);
  return (name) => {
    const found = known.get(name) ?? rangesOf(elements.get(name)?.() ?? []);
    known.set(name, found);
    return found;
  };
}

const setName = (name: string): string => `set ${name}`;
const className = (map: string, name: string): string => `class ${map} ${name}`;

function boxesOf(
  { source, destination }: Rule,
  ranges: (name: string) => Ranges,
  subnets: readonly string[],
): readonly Box[] {
  const from = findSourceRanges(source, ranges);
  switch (destination.kind) {
    case "any":
      return [{ source: from, destination: everywhere }].filter(isSome);
    case "set":
      return [{ source: from, destination: ranges(setName(destination.set)) }].filter(isSome);
    case "source-subnet":
      return subnets
        .map((subnet) => ({
          source: meet(from, rangesOf([subnet])),
          destination: rangesOf([subnet]),
        }))
        .filter(isSome);
  }
}

function findSourceRanges(source: Source, ranges: (name: string) => Ranges): Ranges {
  switch (source.kind) {
    case "any":
      return everywhere;
    case "set":
      return ranges(setName(source.set));
    case "class":
      return ranges(className(source.map, source.class));
  }
}

/** What the rules of one place accept of a range of ports, for as long as another rule lasts. */
type Cover = (piece: PortRange, until: number | null) => readonly Box[];

interface Covering {
  readonly cuts: readonly PortRange[];
  readonly of: Cover;
}

/** Rules to everywhere are one box by their sources together: most rules are, and hosts have many. */
function coverOf(others: readonly Accept[]): Covering {
  const known = new Map<string, readonly Box[]>();
  return {
    cuts: others.flatMap(({ ports }) => ports),
    of: (piece, until) => {
      const name = `${piece.protocol} ${piece.from} ${piece.to} ${until}`;
      const found = known.get(name) ?? findBoxes(others, piece, until);
      known.set(name, found);
      return found;
    },
  };
}

function findBoxes(
  others: readonly Accept[],
  piece: PortRange,
  until: number | null,
): readonly Box[] {
  const boxes = others
    .filter(
      ({ rule, ports }) => lasts(rule.expires, until) && ports.some((wide) => holds(wide, piece)),
    )
    .flatMap((other) => other.boxes);
  const [wide, narrow] = [true, false].map((is) =>
    boxes.filter(({ destination }) => (destination === everywhere) === is),
  );
  const source = union((wide ?? []).map((box) => box.source));
  return [{ source, destination: everywhere }, ...(narrow ?? [])].filter(isSome);
}

/** What is left of a rule where others are taken away, ports with the same rest together. */
function findRemaining(accept: Accept, { cuts, of }: Covering): readonly Opening[] {
  const left: { readonly ports: PortRange[]; readonly box: Box; readonly whole: Box }[] = [];
  for (const piece of accept.ports.flatMap((ports) => piecesOf(ports, cuts))) {
    const taken = of(piece, accept.rule.expires);
    for (const whole of accept.boxes)
      for (const box of restOf(whole, taken)) {
        const same = left.find((one) => isSameBox(one.box, box));
        if (same === undefined) left.push({ ports: [piece], box, whole });
        else same.ports.push(piece);
      }
  }
  return left.map(({ ports, box, whole }) => openingOf(accept.rule, ports, box, whole));
}

/** Whether what expires at `end` is there as long as what expires at `other`. */
const lasts = (end: number | null, other: number | null): boolean =>
  end === null || (other !== null && end >= other);

const restOf = (box: Box, taken: readonly Box[]): readonly Box[] =>
  taken.reduce<readonly Box[]>(
    (boxes, other) => boxes.flatMap((one) => subtractBox(one, other)),
    [box],
  );

const isSome = ({ source, destination }: Box): boolean =>
  source.length > 0 && destination.length > 0;

function subtractBox(box: Box, other: Box): readonly Box[] {
  const shared = meet(box.source, other.source);
  if (shared.length === 0) return [box];
  return [
    { source: subtractRanges(box.source, other.source), destination: box.destination },
    { source: shared, destination: subtractRanges(box.destination, other.destination) },
  ].filter(isSome);
}

const isSameBox = (a: Box, b: Box): boolean =>
  isSame(a.source, b.source) && isSame(a.destination, b.destination);

/** @param whole the box of the rule: a part of it has no name */
function openingOf(rule: Rule, ports: readonly PortRange[], box: Box, whole: Box): Opening {
  const { source, destination } = rule;
  const isWhole = destination.kind !== "source-subnet";
  return {
    scope: rule.scope,
    direction: rule.direction,
    what: formatPorts(ports),
    from: {
      name: isWhole && isSame(box.source, whole.source) ? formatSourceName(source) : null,
      ranges: box.source,
    },
    to: {
      name:
        isWhole && isSame(box.destination, whole.destination) ? destinationName(destination) : null,
      ranges: box.destination,
    },
    until: rule.expires,
    row: rule.row,
  };
}

function formatSourceName(source: Source): string {
  switch (source.kind) {
    case "any":
      return "any";
    case "set":
      return formatName(source.set);
    case "class":
      return formatName(source.class);
  }
}

const destinationName = (destination: Destination): string =>
  destination.kind === "set" ? formatName(destination.set) : "any";
