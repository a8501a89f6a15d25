/**
 * Networks of one family as spans of numbers, for lists of hundreds of thousands: exact for IPv4; of IPv6 in units of a
 * /46, to which longer prefixes are rounded up, so that what is counted by it is never too low. Pure.
 */
import type { Family } from "#schema/address.ts";

/** Disjoint and rising: first and last of each in turn, both inclusive. */
export type Spans = readonly number[];

/** How many bits of an address are told apart. A first address and the length of its prefix fit into one exact number. */
const spanBits = { v4: 32, v6: 46 } as const satisfies Record<Family, number>;
const lengths = 64;

const [dot, slash, colon, nine] = [46, 47, 58, 57];

/** The networks of a list, unsorted: first unit and length of prefix in one number. */
export interface Keys {
  readonly v4: number[];
  readonly v6: number[];
  /** Addresses of all elements together, single ones too, as if none overlapped. */
  readonly sizes: Readonly<Record<Family, number>>;
}

/** @param elements canonical addresses and networks */
export function keysOf(elements: readonly string[]): Keys {
  const [v4, v6]: [number[], number[]] = [[], []];
  let [four, six] = [0, 0];
  for (const element of elements) {
    const at = element.indexOf("/");
    const isFour = !element.includes(":");
    if (at < 0) {
      if (isFour) four += 1;
      else six += 1;
      continue;
    }
    const prefix = parseDecimal(element, at + 1);
    if (isFour) {
      four += 2 ** (32 - prefix);
      v4.push(parseFirst4(element, at) * lengths + prefix);
    } else {
      six += 2 ** (128 - prefix);
      v6.push(parseFirst6(element) * lengths + Math.min(prefix, spanBits.v6));
    }
  }
  return { v4, v6, sizes: { v4: four, v6: six } };
}

function parseDecimal(text: string, from: number): number {
  let value = 0;
  for (let i = from; i < text.length; i += 1) value = value * 10 + text.charCodeAt(i) - 48;
  return value;
}

function parseFirst4(text: string, end: number): number {
  let [address, octet] = [0, 0];
  for (let i = 0; i < end; i += 1) {
    const code = text.charCodeAt(i);
    if (code === dot) {
      address = address * 256 + octet;
      octet = 0;
    } else octet = octet * 10 + code - 48;
  }
  return address * 256 + octet;
}

/** Of the three groups that come first; those behind `::` are taken for 0 where it comes earlier, as they then are. */
function parseFirst6(text: string): number {
  let [top, group, groups] = [0, 0, 0];
  for (let i = 0; groups < 3; i += 1) {
    const code = text.charCodeAt(i);
    if (code === colon || code === slash) {
      top = top * 65_536 + group;
      groups += 1;
      group = 0;
      if (code === slash || text.charCodeAt(i + 1) === colon) break;
    } else group = group * 16 + (code <= nine ? code - 48 : code - 87);
  }
  return Math.floor((top * 65_536 ** (3 - groups)) / 4);
}

/** Those that overlap as one, and those that touch. */
export function spansOf(keys: readonly number[], family: Family): Spans {
  const sorted = isRising(keys) ? keys : Float64Array.from(keys).sort();
  const spans: number[] = [];
  let end = -2;
  for (const key of sorted) {
    const first = Math.floor(key / lengths);
    const last = first + 2 ** (spanBits[family] - (key % lengths)) - 1;
    if (first > end + 1) spans.push(first, last);
    else if (last > end) spans[spans.length - 1] = last;
    end = Math.max(end, last);
  }
  return spans;
}

const isRising = (keys: readonly number[]): boolean =>
  keys.every((key, i) => i === 0 || (keys[i - 1] ?? 0) <= key);

/** Each unit once, however many of them name it. */
export function unionOf(all: readonly Spans[]): Spans {
  const pairs = all.flatMap((spans) =>
    Array.from(
      { length: spans.length / 2 },
      (_, i) => [spans[2 * i] ?? 0, spans[2 * i + 1] ?? 0] as const,
    ),
  );
  const joined: number[] = [];
  let end = -2;
  for (const [first, last] of pairs.toSorted(([a], [b]) => a - b)) {
    if (first > end + 1) joined.push(first, last);
    else if (last > end) joined[joined.length - 1] = last;
    end = Math.max(end, last);
  }
  return joined;
}

/** What is in both. */
export function findShared(a: Spans, b: Spans): Spans {
  const found: number[] = [];
  for (let [i, j] = [0, 0]; i < a.length && j < b.length;) {
    const [lastA, lastB] = [a[i + 1] ?? 0, b[j + 1] ?? 0];
    const [first, last] = [Math.max(a[i] ?? 0, b[j] ?? 0), Math.min(lastA, lastB)];
    if (first <= last) found.push(first, last);
    if (lastA <= lastB) i += 2;
    else j += 2;
  }
  return found;
}

export function unitsOf(spans: Spans): number {
  let units = 0;
  for (let i = 0; i < spans.length; i += 2) units += (spans[i + 1] ?? 0) - (spans[i] ?? 0) + 1;
  return units;
}

/** Whether one span holds more than a network of so long a prefix does. */
export function isWiderThan(spans: Spans, prefix: number, family: Family): boolean {
  const most = 2 ** (spanBits[family] - prefix);
  for (let i = 0; i < spans.length; i += 2)
    if ((spans[i + 1] ?? 0) - (spans[i] ?? 0) + 1 > most) return true;
  return false;
}
