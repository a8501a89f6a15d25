/** The few networks that arbitrary intent and packets draw their addresses from, so that they meet. */
import type { Network } from "#schema/address.ts";
import { formatAddress } from "#schema/address.ts";

/** Disjoint, of both families and many lengths, down to a single address. */
export const networkPool: readonly string[] = [
  "10.8.0.0/24",
  "10.8.1.0/25",
  "10.8.1.128/25",
  "10.9.0.0/16",
  "10.10.0.7/32",
  "fd00:8::/64",
  "fd00:8:0:1::/112",
  "fd00:9::/48",
  "fd00:a::7/128",
];

/** The `offset`th address of a network, or its last. */
export const addressIn = (network: Network, offset: number): string => {
  const wanted = network.first + BigInt(offset);
  return formatAddress(network.family, wanted > network.last ? network.last : wanted);
};
