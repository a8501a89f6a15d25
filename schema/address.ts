/**
 * IPv4 and IPv6 addresses and networks in one canonical spelling each.
 *
 * Two spellings of one address would be two different bytes for the same intent (law 4), so only the canonical one is
 * accepted: dotted decimal without leading zeros (RFC 6943 §3.1.1 names the trap) and RFC 5952 for IPv6.
 * IPv4-mapped IPv6 is refused: nftables would load it into an IPv6 set, where it never matches a packet.
 */
import ipaddr from "ipaddr.js";
import { canonicalGroups, type Groups } from "./address-text.ts";

export type Family = "v4" | "v6";

/** One network as numbers: `first` and `last` address, inclusive. */
export interface Network {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
  readonly prefix: number;
}

export const familyBits: Readonly<Record<Family, 32 | 128>> = { v4: 32, v6: 128 };

type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected: string };

const refuse = (expected: string): { ok: false; expected: string } => ({ ok: false, expected });

/** Reads one address; the error says what was expected, never what was given. */
export function parseAddress(text: string): Parsed<Network> {
  const groups = canonicalGroups(text);
  return groups === undefined ? refuseAddress(text) : { ok: true, value: makeNetwork(groups) };
}

function makeNetwork(groups: Groups): Network {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  if (groups.length === 4) {
    const value = BigInt(((a * 256 + b) * 256 + c) * 256 + d);
    return { family: "v4", first: value, last: value, prefix: 32 };
  }
  const [high, middle, low] = [
    (a * 65_536 + b) * 65_536 + c,
    (d * 65_536 + e) * 65_536 + f,
    g * 65_536 + h,
  ];
  const value = (BigInt(high) << 80n) | (BigInt(middle) << 32n) | BigInt(low);
  return { family: "v6", first: value, last: value, prefix: 128 };
}

/** Says why text is no canonical address. */
function refuseAddress(text: string): { ok: false; expected: string } {
  if (ipaddr.IPv4.isValidFourPartDecimal(text))
    return refuse(`the canonical form ${ipaddr.IPv4.parse(text).toString()}`);
  if (text.includes("%") || !ipaddr.IPv6.isValid(text)) return refuse("an IPv4 or IPv6 address");
  const address = ipaddr.IPv6.parse(text);
  if (address.isIPv4MappedAddress())
    return refuse("the IPv4 address itself, not an IPv4-mapped one");
  return refuse(`the canonical form ${address.toRFC5952String()}`);
}

/** Reads `address/prefix`; refuses host bits, because nobody knows which of the two meanings was meant. */
export function parseCidr(text: string): Parsed<Network> {
  const [address, length, ...rest] = text.split("/");
  if (address === undefined || length === undefined || rest.length > 0)
    return refuse("a network such as 10.8.0.0/24 or fd00:8::/64");
  const host = parseAddress(address);
  if (!host.ok) return host;
  const bits = familyBits[host.value.family];
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > bits)
    return refuse(`a prefix length from 0 to ${bits}`);
  const network = networkOf(host.value.family, host.value.first, Number(length));
  if (network.first !== host.value.first)
    return refuse(`a network without host bits: ${formatNetwork(network)}`);
  return { ok: true, value: network };
}

/** The network of `prefix` bits that holds `address`. */
export function networkOf(family: Family, address: bigint, prefix: number): Network {
  const hostBits = BigInt(familyBits[family] - prefix);
  const first = (address >> hostBits) << hostBits;
  return { family, first, last: first + (1n << hostBits) - 1n, prefix };
}

/** `address/prefix` in canonical form. */
export function formatNetwork(network: Network): string {
  return `${formatAddress(network.family, network.first)}/${network.prefix}`;
}

/** One address in canonical form. */
export function formatAddress(family: Family, value: bigint): string {
  const size = familyBits[family] / 8;
  const bytes = Array.from({ length: size }, (_, i) =>
    Number((value >> BigInt(8 * (size - 1 - i))) & 255n),
  );
  return family === "v4"
    ? new ipaddr.IPv4(bytes).toString()
    : new ipaddr.IPv6(bytes).toRFC5952String();
}

/** The address or network that `text` means. @throws RangeError when it is not canonical: parse at the edge first. */
export function requireNetwork(text: string): Network {
  const parsed = text.includes("/") ? parseCidr(text) : parseAddress(text);
  if (!parsed.ok)
    throw new RangeError(`not a canonical address or network: ${JSON.stringify(text)}`);
  return parsed.value;
}

export function contains(outer: Network, inner: Network): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;
}

export function overlaps(a: Network, b: Network): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** Total order: IPv4 before IPv6, then by first address, then the wider network first. */
export function compareNetworks(a: Network, b: Network): number {
  if (a.family !== b.family) return a.family === "v4" ? -1 : 1;
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  return a.prefix - b.prefix;
}

/** In the order of addresses in sets and maps: as numbers, IPv4 first; the same on every machine. */
export const sortAddresses = (texts: readonly string[]): string[] => sortBy(texts, (text) => text);

/** Sorts by the network each item means, reading each once. */
export const sortBy = <T>(items: readonly T[], text: (item: T) => string): T[] =>
  items
    .map((item) => ({ item, network: requireNetwork(text(item)) }))
    .sort((a, b) => compareNetworks(a.network, b.network))
    .map(({ item }) => item);
