/**
 * Sets of addresses as disjoint ranges, rising, on one line: IPv4 first, IPv6 far behind it. Pure arithmetic, so that
 * what two sets share and where they differ is exact.
 */
import {
  type Family,
  familyBits,
  formatAddress,
  formatNetwork,
  requireNetwork,
  networkOf,
} from "#schema/address.ts";

type Range = readonly [first: bigint, last: bigint];
export type Ranges = readonly Range[];

/** Where IPv6 begins; nothing of one family touches the other. */
const v6At = 1n << 64n;

export const everywhere: Ranges = [
  [0n, (1n << 32n) - 1n],
  [v6At, v6At + (1n << 128n) - 1n],
];

/** @param elements canonical addresses and networks, in any order */
export function rangesOf(elements: readonly string[]): Ranges {
  const ranges = elements.map((text): Range => {
    const { family, first, last } = requireNetwork(text);
    const from = family === "v4" ? 0n : v6At;
    return [from + first, from + last];
  });
  return joinRanges(ranges.toSorted(byFirst));
}

const byFirst = ([a]: Range, [b]: Range): number => (a < b ? -1 : a > b ? 1 : 0);

export const union = (sets: readonly Ranges[]): Ranges => joinRanges(sets.flat().toSorted(byFirst));

/** Overlapping ranges as one; those that touch stay two, as whoever wrote them said two things. @param sorted by first */
function joinRanges(sorted: Ranges): Ranges {
  const found: [bigint, bigint][] = [];
  for (const [first, last] of sorted) {
    const before = found.at(-1);
    if (before === undefined || first > before[1]) found.push([first, last]);
    else if (last > before[1]) before[1] = last;
  }
  return found;
}

/** What is in `a` and not in `b`. */
export function subtractRanges(a: Ranges, b: Ranges): Ranges {
  const found: Range[] = [];
  let at = 0;
  for (const [first, last] of a) {
    let from = first;
    while (at < b.length && (b[at]?.[1] ?? 0n) < from) at += 1;
    for (let i = at; i < b.length; i += 1) {
      const [start, end] = b[i] ?? [0n, 0n];
      if (start > last) break;
      if (start > from) found.push([from, start - 1n]);
      if (end >= from) from = end + 1n;
      if (from > last) break;
    }
    if (from <= last) found.push([from, last]);
  }
  return found;
}

/** What is in both. */
export const meet = (a: Ranges, b: Ranges): Ranges => subtractRanges(a, subtractRanges(a, b));

/** Whether they say the same in the same pieces. */
export const isSame = (a: Ranges, b: Ranges): boolean =>
  a === b ||
  (a.length === b.length &&
    a.every(([first, last], i) => first === b[i]?.[0] && last === b[i]?.[1]));

/** The fewest addresses and networks that are these ranges, rising; the first `most`. */
export function textsOf(ranges: Ranges, most: number): readonly string[] {
  const texts: string[] = [];
  for (const [first, last] of ranges) {
    const family: Family = first < v6At ? "v4" : "v6";
    const base = family === "v4" ? 0n : v6At;
    for (let at = first - base; at <= last - base && texts.length < most;) {
      const prefix = findWidestPrefix(family, at, last - base);
      const network = networkOf(family, at, prefix);
      texts.push(
        prefix === familyBits[family] ? formatAddress(family, at) : formatNetwork(network),
      );
      at = network.last + 1n;
    }
  }
  return texts;
}

/** The shortest prefix of a network that begins at `first` and does not go past `last`. */
function findWidestPrefix(family: Family, first: bigint, last: bigint): number {
  let prefix: number = familyBits[family];
  while (prefix > 0) {
    const wider = networkOf(family, first, prefix - 1);
    if (wider.first !== first || wider.last > last) break;
    prefix -= 1;
  }
  return prefix;
}
