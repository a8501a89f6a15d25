/**
 * The fewest networks that hold exactly the same addresses: sorted, without overlap, neighbours joined. One meaning
 * has one spelling (law 4), and nft 1.0.6 refuses an interval set whose elements overlap.
 */
import type { Family, Network } from "#schema/address.ts";
import {
  compareNetworks,
  familyBits,
  formatAddress,
  formatNetwork,
  knownNetwork,
  networkOf,
} from "#schema/address.ts";

/** Takes canonical addresses and networks. A network of one address is spelled as the address, as nft lists it. */
export function minimalNetworks(texts: readonly string[]): string[] {
  const spans: Span[] = [];
  for (const { family, first, last } of texts.map(knownNetwork).sort(compareNetworks)) {
    const open = spans.at(-1);
    if (open === undefined || open.family !== family || first > open.last + 1n)
      spans.push({ family, first, last });
    else if (last > open.last) open.last = last;
  }
  return spans.flatMap(blocks).map(spell);
}

interface Span {
  readonly family: Family;
  readonly first: bigint;
  last: bigint;
}

/** From the first address on, always the widest network that starts there and ends within the span. */
function blocks({ family, first, last }: Span): readonly Network[] {
  const found: Network[] = [];
  for (let next = first; next <= last;) {
    const block = widest(family, next, last);
    found.push(block);
    next = block.last + 1n;
  }
  return found;
}

function widest(family: Family, first: bigint, last: bigint): Network {
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
