/** The order of addresses in sets and maps: as numbers, IPv4 first; the same on every machine. */
import { compareNetworks, requireNetwork } from "#schema/address.ts";

export const sortAddresses = (texts: readonly string[]): string[] => sortBy(texts, (text) => text);

/** Sorts by the network each item means, reading each once. */
export const sortBy = <T>(items: readonly T[], text: (item: T) => string): T[] =>
  items
    .map((item) => ({ item, network: requireNetwork(text(item)) }))
    .sort((a, b) => compareNetworks(a.network, b.network))
    .map(({ item }) => item);
