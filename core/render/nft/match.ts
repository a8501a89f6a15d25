/**
 * One abstract rule as nft matches. A rule that names addresses becomes one nft rule for each family, whether or not
 * its sets have elements of that family now: the number of nft rules must not depend on members.
 *
 * The trap this file avoids: in an inet table `ip saddr` never sees IPv6 and `ip6 saddr` never sees IPv4, while a
 * rule without either sees both.
 */
import { type Family, familyBits, formatAddress } from "#schema/address.ts";
import {
  type Destination,
  dhcpPorts,
  type IcmpTypes,
  type Ports,
  type Protocol,
  type Rule,
  type Scope,
  type Source,
  type State,
} from "#schema/ruleset.ts";
import { inSet, makeLine, type Match, match, outsideSet, rejectReset } from "./line.ts";
import { families, type Line } from "./program.ts";
import {
  type NftText,
  oneOf,
  quoteInterface,
  quoteNetwork,
  quoteNft,
  quoteWord,
  Unsupported,
} from "./quote.ts";
import type { RulesetIndex } from "./ruleset-index.ts";
import { pairSetName, listPrefixLengths, setName } from "./sets.ts";

const header: Readonly<Record<Family, NftText>> = { v4: quoteNft`ip`, v6: quoteNft`ip6` };
export const saddr: Readonly<Record<Family, NftText>> = {
  v4: quoteNft`ip saddr`,
  v6: quoteNft`ip6 saddr`,
};
export const daddr: Readonly<Record<Family, NftText>> = {
  v4: quoteNft`ip daddr`,
  v6: quoteNft`ip6 daddr`,
};

export type Accepting =
  | { readonly kind: "accept" }
  | { readonly kind: "goto"; readonly chain: string };

/** What rules of one scope and direction share. `accepting`: what its accept does, as another scope may still judge. */
export interface Context {
  readonly scope: Scope;
  readonly index: RulesetIndex;
  readonly accepting: Accepting;
  /** Unix seconds before which nothing that this ruleset grants for a while is granted; null where that is not known. */
  readonly since: number | null;
}

/** The nft rules of one abstract rule; its class, if it has one, has been matched by the dispatch already. */
export function renderRule(rule: Rule, context: Context): readonly Line[] {
  refuseUnrendered(rule);
  return matchAddresses(rule, context).flatMap(({ family, matches }) =>
    matchProtocol(rule.protocol, family).flatMap((protocol) =>
      renderVerdict(
        rule,
        [
          ...matchArrival(rule),
          ...matches,
          ...protocol,
          ...stateMatches[rule.state],
          ...matchTime(rule, context),
        ],
        context.accepting,
      ),
    ),
  );
}

/** What this backend does not carry out yet is refused with its row, never left out (law 1). @throws Unsupported */
function refuseUnrendered({ row, rate, log, layer }: Rule): void {
  if (rate !== null) throw notRendered(row, "a rate");
  if (log) throw notRendered(row, "log");
  if (layer === "l2") throw notRendered(row, "layer l2");
}

const notRendered = (row: string, what: string): Unsupported =>
  new Unsupported(`${row}: nft does not carry out ${what} yet`);

interface AddressMatch {
  /** null: not bound to a family. */
  readonly family: Family | null;
  readonly matches: readonly Match[];
}

function matchAddresses(rule: Rule, context: Context): readonly AddressMatch[] {
  const { source, destination } = rule;
  if ((source.kind === "any" || source.kind === "class") && destination.kind === "any")
    return [{ family: null, matches: [] }];
  return families.flatMap((family) =>
    matchDestination(rule, family, context).map((matches) => ({
      family,
      matches: [
        ...(source.kind === "class"
          ? []
          : matchEnd(rule.row, source, saddr[family], family, context)),
        ...matches,
      ],
    })),
  );
}

/** @throws Unsupported */
function matchEnd(
  row: string,
  end: Exclude<Source | Destination, { readonly kind: "class" | "source-subnet" }>,
  key: NftText,
  family: Family,
  { index }: Context,
): readonly Match[] {
  switch (end.kind) {
    case "any":
      return [];
    case "set":
      return [inSet(key, setName(end.set, index, family))];
    case "set-except":
      return [
        inSet(key, setName(end.set, index, family)),
        outsideSet(key, setName(end.except, index, family)),
      ];
    case "not-set":
      return [outsideSet(key, setName(end.set, index, family))];
    case "own":
      throw notRendered(row, "own");
  }
}

/** One alternative for each way to match; `source-subnet` has one for each prefix length of the scope. */
function matchDestination(
  { row, destination }: Rule,
  family: Family,
  context: Context,
): readonly (readonly Match[])[] {
  return destination.kind === "source-subnet"
    ? matchPair(context.scope, family).map((pair) => [pair])
    : [matchEnd(row, destination, daddr[family], family, context)];
}

function matchArrival({ arrives }: Rule): readonly Match[] {
  return arrives === null ? [] : [match(quoteNft`iifname ${oneOf(arrives.map(quoteInterface))}`)];
}

/** Source and destination lie in one declared subnet: a masked-pair hash for each prefix length. */
export function matchPair(scope: Scope, family: Family): readonly Match[] {
  if (scope.kind !== "overlay") return [];
  const bits = familyBits[family];
  return listPrefixLengths(scope, family).map((prefix) => {
    const ones = ((1n << BigInt(prefix)) - 1n) << BigInt(bits - prefix);
    const mask = quoteNetwork(formatAddress(family, ones));
    return inSet(
      quoteNft`${header[family]} saddr and ${mask} . ${header[family]} daddr and ${mask}`,
      pairSetName(scope.name, family, prefix),
    );
  });
}

const icmpMatch: Readonly<Record<Family, Match>> = {
  v4: match(quoteNft`meta nfproto ipv4 meta l4proto icmp`),
  v6: match(quoteNft`meta nfproto ipv6 meta l4proto ipv6-icmp`),
};

/** One alternative for each way to match. */
function matchProtocol(protocol: Protocol, family: Family | null): readonly (readonly Match[])[] {
  const own = family === null ? families : [family];
  switch (protocol.kind) {
    case "any":
      return [[]];
    case "icmp":
      return own.flatMap((each) => matchIcmp(protocol.types, each));
    case "tcp":
    case "udp":
    case "sctp":
      return [matchTransport(protocol)];
    case "ip":
      return [[match(quoteNft`meta l4proto ${protocol.number}`)]];
    case "dhcp":
      return own.map((each) => [
        match(quoteNft`meta nfproto ${quoteWord(each === "v4" ? "ipv4" : "ipv6")}`),
        match(quoteNft`udp dport ${dhcpPorts[each][protocol.side]}`),
      ]);
    // Of layer l2 alone, which is refused before.
    case "arp":
    case "nd":
      return [];
  }
}

function matchIcmp(types: IcmpTypes | null, family: Family): readonly (readonly Match[])[] {
  if (types === null) return [[icmpMatch[family]]];
  const own = types[family].map((type) => quoteNft`${type}`);
  const protocol = family === "v4" ? quoteNft`icmp` : quoteNft`icmpv6`;
  return own.length === 0
    ? []
    : [[icmpMatch[family], match(quoteNft`${protocol} type ${oneOf(own)}`)]];
}

function matchTransport({
  kind,
  ports,
  sourcePorts,
}: Extract<Protocol, { readonly ports: Ports }>): readonly Match[] {
  const protocol = quoteWord(kind);
  if (ports.kind === "any" && sourcePorts.kind === "any")
    return [match(quoteNft`meta l4proto ${protocol}`)];
  return [
    ...matchPorts(quoteNft`${protocol} dport`, ports),
    ...matchPorts(quoteNft`${protocol} sport`, sourcePorts),
  ];
}

function matchPorts(key: NftText, ports: Ports): readonly Match[] {
  if (ports.kind === "any") return [];
  const ranges = mergeRanges(ports.ranges).map(({ from, to }) =>
    from === to ? quoteNft`${from}` : quoteNft`${from}-${to}`,
  );
  return [match(quoteNft`${key} ${oneOf(ranges)}`)];
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Sorted, without overlap: nft refuses an anonymous set whose intervals overlap. */
function mergeRanges(ranges: readonly Range[]): readonly Range[] {
  const merged: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from || a.to - b.to)) {
    const last = merged.at(-1);
    if (last !== undefined && range.from <= last.to + 1)
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
    else merged.push(range);
  }
  return merged;
}

const stateMatches: Readonly<Record<State, readonly Match[]>> = {
  any: [],
  new: [match(quoteNft`ct state new`)],
  established: [match(quoteNft`ct state established`)],
};

/**
 * A bare number is Unix seconds to nft 1.0.6, whatever the time zone; quoted times, and listings, are local time.
 * The kernel compares with its own wall clock (`meta time`, nft(8)), so the rule ends even on a host that is cut off. A
 * clock that stands before the ruleset was made is behind, and no grant is believed to be still in force by it; a refusal
 * has no such bound, as that would open.
 */
function matchTime({ from, expires, verdict }: Rule, { since }: Context): readonly Match[] {
  const believed = verdict === "accept" && expires !== null ? since : null;
  const first = from === null ? believed : Math.max(from, believed ?? 0);
  return [
    ...(first === null ? [] : [match(quoteNft`meta time >= ${first}`)]),
    ...(expires === null ? [] : [match(quoteNft`meta time < ${expires}`)]),
  ];
}

function renderVerdict(
  rule: Rule,
  matches: readonly Match[],
  accepting: Accepting,
): readonly Line[] {
  switch (rule.verdict) {
    case "accept": {
      const accept = makeLine(matches, rule.counter, accepting);
      return [rule.expires === null ? accept : { ...accept, until: rule.expires }];
    }
    case "drop":
      return [makeLine(matches, rule.counter, { kind: "drop" })];
    case "reject":
      return rejectLines(rule, matches);
  }
}

function rejectLines(rule: Rule, matches: readonly Match[]): readonly Line[] {
  if (rule.protocol.kind === "tcp") return [rejectReset(matches, rule.counter)];
  const other = makeLine(matches, rule.counter, { kind: "reject" });
  if (rule.protocol.kind !== "any") return [other];
  return [rejectReset([...matches, match(quoteNft`meta l4proto tcp`)], rule.counter), other];
}
