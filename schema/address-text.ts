/**
 * Canonical addresses as numbers, in one pass over their text: a bundle may hold hundreds of thousands, and a library
 * that reads every spelling, to compare its own with what was given, takes twenty times as long. What is not canonical
 * is undefined here; address.ts says why. RFC 5952 §4 is the form of IPv6, dotted decimal without leading zeros of IPv4.
 */

/** The groups of an address, most significant first: 4 of 8 bits for IPv4, 8 of 16 bits for IPv6. */
export type Groups = readonly number[];

const [dot, colon] = [0x2e, 0x3a];

/** Undefined for any text but a canonical address; IPv4-mapped IPv6 is none. */
export const canonicalGroups = (text: string): Groups | undefined =>
  text.includes(":") ? parseGroups6(text) : parseGroups4(text);

function parseGroups4(text: string): Groups | undefined {
  const octets: number[] = [];
  let [value, digits] = [0, 0];
  for (let at = 0; at <= text.length; at += 1) {
    const code = at === text.length ? dot : text.charCodeAt(at);
    if (code === dot) {
      if (digits === 0 || value > 255 || octets.push(value) > 4) return undefined;
      [value, digits] = [0, 0];
    } else {
      const digit = code - 0x30;
      if (digit < 0 || digit > 9 || (digits > 0 && value === 0) || digits === 3) return undefined;
      value = value * 10 + digit;
      digits += 1;
    }
  }
  return octets.length === 4 ? octets : undefined;
}

/** Lower-case hex; -1 for anything else. */
const hexDigit = (code: number): number =>
  code >= 0x30 && code <= 0x39 ? code - 0x30 : code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;

const size = 8;

function parseGroups6(text: string): Groups | undefined {
  const written: number[] = [];
  let gap = -1;
  let at = 0;
  if (text.startsWith("::")) [gap, at] = [0, 2];
  while (at < text.length) {
    let [value, digits] = [0, 0];
    for (; at < text.length && text.charCodeAt(at) !== colon; at += 1, digits += 1) {
      const digit = hexDigit(text.charCodeAt(at));
      if (digit < 0 || digits === 4 || (digits > 0 && value === 0)) return undefined;
      value = value * 16 + digit;
    }
    if (digits === 0 || written.push(value) > size) return undefined;
    if (at === text.length) break;
    at += 1;
    if (text.charCodeAt(at) === colon) {
      if (gap >= 0) return undefined;
      [gap, at] = [written.length, at + 1];
    } else if (at === text.length) return undefined;
  }
  return expandGroups(written, gap);
}

/** With the zeros that `::` stands for, if it stands for the run that it must. @param gap -1: there is none */
function expandGroups(written: readonly number[], gap: number): Groups | undefined {
  const missing = size - written.length;
  if (gap < 0 ? missing !== 0 : missing < 2) return undefined;
  const groups =
    gap < 0 ? written : [...written.slice(0, gap), ...zeros(missing), ...written.slice(gap)];
  const longest = findLongestZeros(groups);
  if (gap < 0 ? longest.length >= 2 : longest.first !== gap || longest.length !== missing)
    return undefined;
  return isMapped(groups) ? undefined : groups;
}

const zeros = (count: number): readonly number[] => Array.from({ length: count }, () => 0);

/** The first of the longest runs. */
function findLongestZeros(groups: Groups): { readonly first: number; readonly length: number } {
  let longest = { first: 0, length: 0 };
  let length = 0;
  for (let at = 0; at < size; at += 1) {
    length = groups[at] === 0 ? length + 1 : 0;
    if (length > longest.length) longest = { first: at + 1 - length, length };
  }
  return longest;
}

/** ::ffff:0:0/96 (RFC 4291 §2.5.5.2) */
const isMapped = (groups: Groups): boolean =>
  groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
