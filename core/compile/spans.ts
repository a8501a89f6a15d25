/** Sets of addresses as spans: sorted, apart, neighbours joined, so that equal sets are equal lists. Pure. */
import type { Family, Network } from "#schema/address.ts";
import {
  familyBits,
  formatAddress,
  formatNetwork,
  requireNetwork,
  networkOf,
} from "#schema/address.ts";

/** Addresses from `first` to `last`, both inclusive. */
export interface Span {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

export type Spans = readonly Span[];

/** Every address of both families. */
export const allSpans: Spans = (["v4", "v6"] as const).map((family) => ({
  family,
  first: 0n,
  last: (1n << BigInt(familyBits[family])) - 1n,
}));

/** Takes canonical addresses and networks, in any order. */
export const spansOf = (texts: readonly string[]): Spans => joinSpans(texts.map(requireNetwork));

function joinSpans(spans: readonly (Span | Network)[]): Spans {
  const found: { family: Family; first: bigint; last: bigint }[] = [];
  for (const { family, first, last } of spans.toSorted(compareSpans)) {
    const open = found.at(-1);
    if (open === undefined || open.family !== family || first > open.last + 1n)
      found.push({ family, first, last });
    else if (last > open.last) open.last = last;
  }
  return found;
}

function compareSpans(a: Span, b: Span): number {
  if (a.family !== b.family) return a.family === "v4" ? -1 : 1;
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}

export const unionOf = (...all: readonly Spans[]): Spans => joinSpans(all.flat());

/** Addresses in both. */
export function meetSpans(a: Spans, b: Spans): Spans {
  const found: Span[] = [];
  for (let i = 0, j = 0; ;) {
    const [x, y] = [a[i], b[j]];
    if (x === undefined || y === undefined) return found;
    if (x.family !== y.family) {
      if (x.family === "v4") i += 1;
      else j += 1;
      continue;
    }
    const first = x.first > y.first ? x.first : y.first;
    const last = x.last < y.last ? x.last : y.last;
    if (first <= last) found.push({ family: x.family, first, last });
    if (x.last < y.last) i += 1;
    else j += 1;
  }
}

/** Addresses in `a` and not in `b`. */
export function subtractSpans(a: Spans, b: Spans): Spans {
  const others = allSpans.flatMap(({ family, first, last }): Span[] => {
    const gaps: Span[] = [];
    let next = first;
    for (const span of b.filter((each) => each.family === family)) {
      if (span.first > next) gaps.push({ family, first: next, last: span.first - 1n });
      next = span.last + 1n;
    }
    return next <= last ? [...gaps, { family, first: next, last }] : gaps;
  });
  return meetSpans(a, others);
}

/** Whether some span holds all of `inner`; looks at few of them. */
export function isWithin(inner: Span, spans: Spans): boolean {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const span = spans[middle];
    if (span !== undefined && compareSpans(span, inner) <= 0) low = middle + 1;
    else high = middle;
  }
  const below = spans[low - 1];
  return below?.family === inner.family && inner.last <= below.last;
}

export const containsSpans = (outer: Spans, inner: Spans): boolean =>
  subtractSpans(inner, outer).length === 0;

/**
 * The fewest networks that hold exactly these addresses, sorted and without overlap. A network of one address is
 * spelled as the address, as nft lists it.
 */
export const networksOf = (spans: Spans): string[] => spans.flatMap(splitSpan).map(spell);

/** From the first address on, always the widest network that starts there and ends within the span. */
function splitSpan({ family, first, last }: Span): readonly Network[] {
  const found: Network[] = [];
  for (let next = first; next <= last;) {
    const block = findWidest(family, next, last);
    found.push(block);
    next = block.last + 1n;
  }
  return found;
}

function findWidest(family: Family, first: bigint, last: bigint): Network {
  let block = networkOf(family, first, familyBits[family]);
  while (block.prefix > 0) {
    const wider = networkOf(family, first, block.prefix - 1);
    if (wider.first !== first || wider.last > last) break;
    block = wider;
  }
  return block;
}

const spell = (network: Network): string =>
  network.prefix === familyBits[network.family]
    ? formatAddress(network.family, network.first)
    : formatNetwork(network);
