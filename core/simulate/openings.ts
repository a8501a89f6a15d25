/**
 * Which new flows one ruleset accepts and another does not: what a change opens, and with both swapped, what it closes.
 * What a direction accepts is the union of its grants, so a difference is exact in ports, addresses and the time at which
 * it ends. What the compiler does not write yet makes more of a change than it is, never less: a rule with source ports,
 * a rate, a beginning or ways of arrival counts whole, and takes nothing away; denies that a change touches hide nothing. Pure.
 */
import { formatCanonical } from "#schema/canonical.ts";
import {
  type Destination,
  type Direction,
  type Rule,
  type Ruleset,
  type Scope,
  scopeId,
  listEndSets,
  type Source,
  widest,
} from "#schema/ruleset.ts";
import { formatEnd, formatName } from "./describe.ts";
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
  const loose = findChangedDenies(old, now);
  const fresh = now.rules.filter(
    (rule) => isAccept(rule) && (!isKept(rule) || loose.has(placeOf(rule))),
  );
  const asked = new Set(fresh.map(placeOf));
  const others = acceptsOf(
    old,
    old.rules.filter(
      (rule) => isAccept(rule) && asked.has(placeOf(rule)) && !loose.has(placeOf(rule)),
    ),
  );
  const known = new Set(others.map(({ key }) => key));
  const places = new Map(
    [...Map.groupBy(others, ({ rule }) => placeOf(rule))].map(([place, own]) => [
      place,
      coverOf(own.filter(({ rule }) => !isConditional(rule))),
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

/** Whether a rule matches less than its protocol, ends and end say. */
const isConditional = ({ arrives, from, rate, protocol }: Rule): boolean =>
  arrives !== null ||
  from !== null ||
  rate !== null ||
  ("sourcePorts" in protocol && protocol.sourcePorts.kind !== "any");

/** Places where some deny of before is not there any more, as it was. */
function findChangedDenies(before: Ruleset, after: Ruleset): ReadonlySet<string> {
  const isKept = makeKeptCheck(after, before);
  return new Set(
    before.rules.filter((rule) => rule.section === "deny" && !isKept(rule)).map(placeOf),
  );
}

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
  ...widest,
  row: "defaults/host#out",
  scope: "host",
  section: "end",
  direction: "out",
  verdict: "accept",
  counter: "r_out",
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
  const [old, now] = [before, after].map(({ scopes, sets, classes }) => {
    const bySet = new Map(sets.map((set) => [set.name, set.elements]));
    return new Map([
      ...sets.map((set) => [setName(set.name), formatCanonical(set)] as const),
      ...classes.flatMap((map) =>
        map.classes.map(
          ({ name, set }) =>
            [className(map.name, name), formatCanonical(bySet.get(set) ?? [])] as const,
        ),
      ),
      ...scopes.map((scope) => [`scope ${scopeId(scope)}`, formatCanonical(scope)] as const),
    ]);
  });
  const isSameName = (name: string): boolean => old?.get(name) === now?.get(name);
  return (rule) => rules.has(formatCanonical(rule)) && namesIn(rule).every(isSameName);
}

const namesIn = ({ source, destination, scope }: Rule): readonly string[] => [
  ...[source, destination].flatMap(listEndSets).map(setName),
  ...(source.kind === "class" ? [className(source.map, source.class)] : []),
  ...[source, destination].flatMap(({ kind }) =>
    kind === "source-subnet" || kind === "own" ? [`scope ${scope}`] : [],
  ),
];

function acceptsOf(ruleset: Ruleset, rules: readonly Rule[]): readonly Accept[] {
  const ranges = makeRangeLookup(ruleset);
  const scopes = new Map(ruleset.scopes.map((scope) => [scopeId(scope), scope]));
  return rules.map((rule) => {
    const boxes = boxesOf(rule, ranges, scopes.get(rule.scope));
    const { scope, direction, protocol, arrives, from, expires, rate } = rule;
    const texts = boxes.map((box) => [textOf(box.source), textOf(box.destination)]);
    const key = formatCanonical([scope, direction, protocol, arrives, from, expires, rate, texts]);
    return { rule, ports: portsOf(protocol), boxes, key };
  });
}

const textOf = (ranges: Ranges): string => ranges.map(([first, last]) => `${first}-${last}`).join();

/** What each set and class means, read when it is asked for and once. */
function makeRangeLookup({ sets, classes }: Ruleset): (name: string) => Ranges {
  const known = new Map<string, Ranges>();
  const byName = new Map(sets.map((set) => [set.name, set.elements]));
  const elements = new Map<string, readonly string[]>([
    ...sets.map((set) => [setName(set.name), set.elements] as const),
    ...classes.flatMap((map) =>
      map.classes.map(
        ({ name, set }) => [className(map.name, name), byName.get(set) ?? []] as const,
      ),
    ),
  ]);
  return (name) => {
    const found = known.get(name) ?? rangesOf(elements.get(name) ?? []);
    known.set(name, found);
    return found;
  };
}

const setName = (name: string): string => `set ${name}`;
const className = (map: string, name: string): string => `class ${map} ${name}`;

function boxesOf(
  { source, destination }: Rule,
  ranges: (name: string) => Ranges,
  scope: Scope | undefined,
): readonly Box[] {
  const own = rangesOf(scope?.kind === "vnic" ? scope.addresses : []);
  const from =
    source.kind === "class"
      ? ranges(className(source.map, source.class))
      : findEndRanges(source, ranges, own);
  if (destination.kind !== "source-subnet")
    return [{ source: from, destination: findEndRanges(destination, ranges, own) }].filter(isSome);
  return (scope !== undefined && "subnets" in scope ? scope.subnets : [])
    .map((subnet) => ({ source: meet(from, rangesOf([subnet])), destination: rangesOf([subnet]) }))
    .filter(isSome);
}

function findEndRanges(
  end: Exclude<Source | Destination, { readonly kind: "class" | "source-subnet" }>,
  ranges: (name: string) => Ranges,
  own: Ranges,
): Ranges {
  switch (end.kind) {
    case "any":
      return everywhere;
    case "set":
      return ranges(setName(end.set));
    case "set-except":
      return subtractRanges(ranges(setName(end.set)), ranges(setName(end.except)));
    case "not-set":
      return subtractRanges(everywhere, ranges(setName(end.set)));
    case "own":
      return own;
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

const formatSourceName = (source: Source): string =>
  source.kind === "class" ? formatName(source.class) : formatEnd(source);

const destinationName = (destination: Destination): string =>
  destination.kind === "source-subnet" ? "any" : formatEnd(destination);
