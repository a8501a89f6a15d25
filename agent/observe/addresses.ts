/**
 * The addresses this host has, for its report. The control plane compares them with the declared ones to warn, and
 * never takes one for intent: a host that could name its addresses could let itself in elsewhere.
 */
import { networkInterfaces } from "node:os";
import {
  compareNetworks,
  contains,
  type Network,
  networkOf,
  parseAddress,
} from "#schema/address.ts";

const namedMax = 256;
/** Mean something on one link only (RFC 4291 §2.5.6, RFC 3927). */
const linkLocal: readonly Network[] = [
  networkOf("v6", 0xfe80n << 112n, 10),
  networkOf("v4", 0xa9fe_0000n, 16),
];

/** Canonical, each once, IPv4 first; without loopback and link-local ones, and no more than a report carries. */
export function listOwnAddresses(): readonly string[] {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .flatMap(({ address, internal }) => (internal ? [] : [address]));
  return sortAddresses(found).slice(0, namedMax);
}

/** Sorted and each once; what is no canonical address, or only of a link, is left out. */
export function sortAddresses(addresses: readonly string[]): readonly string[] {
  const known = [...new Set(addresses)].flatMap((text) => {
    const parsed = parseAddress(text);
    return parsed.ok && !linkLocal.some((network) => contains(network, parsed.value))
      ? [{ text, network: parsed.value }]
      : [];
  });
  return known.toSorted((a, b) => compareNetworks(a.network, b.network)).map(({ text }) => text);
}
