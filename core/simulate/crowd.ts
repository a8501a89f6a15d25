/**
 * How much of those who can send over the internet a list of addresses and networks is. Space that nobody can send
 * from, or only from within a site, counts nothing, so that "everybody" can be said neither in halves nor in shares of
 * an address space that is mostly empty. Pure; exact where it matters and never too low.
 */
import type { Family } from "#schema/address.ts";
import { subtractRanges, rangesOf, textsOf } from "./ranges.ts";
import { isWiderThan, keysOf, findShared, type Spans, spansOf, unionOf, unitsOf } from "./spans.ts";

/** RFC 6890 and the IANA IPv4 special-purpose registry, multicast (RFC 5771) and reserved space (RFC 1112 §4). */
const special4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
] as const;

/**
 * What registries have been given of 2000::/3 (IANA, "IPv6 Global Unicast Address Assignments", 2024-06); the rest of
 * IPv6 is empty, local or multicast. Documentation (2001:db8::/32) is too little to be left out.
 */
const assigned6 = [
  "2001::/16",
  "2002::/16",
  "2003::/18",
  "2400::/12",
  "2410::/12",
  "2600::/12",
  "2610::/23",
  "2620::/23",
  "2630::/12",
  "2800::/12",
  "2a00::/12",
  "2a10::/12",
  "2c00::/12",
] as const;

const listCrowd = (elements: readonly string[], family: Family): Spans =>
  spansOf(keysOf(elements)[family], family);
const everywhere4 = subtractRanges(rangesOf(["0.0.0.0/0"]), rangesOf(special4));
const routable: Readonly<Record<Family, Spans>> = {
  v4: listCrowd(textsOf(everywhere4, 4_096), "v4"),
  v6: listCrowd(assigned6, "v6"),
};

const total = { v4: unitsOf(routable.v4), v6: unitsOf(routable.v6) } as const;
/** Addresses of IPv6 in one unit of its spans. */
const unit6 = 2 ** 82;

/** From this share of either family's senders on it is everybody: more than three /8 of IPv4, two /15 of IPv6. */
const everybodyShare = 1 / 64;
/** A range of more addresses than a network of so long a prefix has is wide. */
const widest = { v4: 8, v6: 20 } as const;

export interface Crowd {
  /** All of them, whoever that is. */
  readonly everybody: boolean;
  /** Some network of it is shorter than a /8 of IPv4 or a /20 of IPv6, of space that can send. */
  readonly wide: boolean;
  /** Shares of those who can send, 0 to 1; never too low. */
  readonly share: Readonly<Record<"v4" | "v6", number>>;
  /** The part of it that can send; null where it is so little that only its share is known. */
  readonly spans: Readonly<Record<Family, Spans>> | null;
}

export const everybody: Crowd = {
  everybody: true,
  wide: true,
  share: { v4: 1, v6: 1 },
  spans: null,
};

/** Below this share of either family nobody looks at where it lies. */
const littleShare = everybodyShare / 1024;

/**
 * @param elements canonical addresses and networks
 * @param exactMax how many networks may be read one by one; of more than that the share is an upper bound
 */
export function crowdOf(elements: readonly string[], exactMax: number): Crowd {
  const keys = keysOf(elements);
  // As if all of it could send, and none of it twice.
  const share = { v4: keys.sizes.v4 / total.v4, v6: keys.sizes.v6 / unit6 / total.v6 };
  const little = share.v4 < littleShare && share.v6 < littleShare;
  if (little) return { everybody: false, wide: false, share, spans: null };
  if (keys.v4.length + keys.v6.length > exactMax)
    return isMost(share) ? everybody : { ...everybody, everybody: false, share };
  const v4 = findShared(spansOf(keys.v4, "v4"), routable.v4);
  const v6 = findShared(spansOf(keys.v6, "v6"), routable.v6);
  const exact = { v4: unitsOf(v4) / total.v4, v6: unitsOf(v6) / total.v6 };
  return {
    everybody: isMost(exact),
    wide: isWiderThan(v4, widest.v4, "v4") || isWiderThan(v6, widest.v6, "v6"),
    share: exact,
    spans: { v4, v6 },
  };
}

/** Together, each address once. */
export function isEverybody(crowds: readonly Crowd[]): boolean {
  if (crowds.some((crowd) => crowd.everybody)) return true;
  const addUp = (family: Family): number => {
    const known = unionOf(crowds.flatMap(({ spans }) => (spans === null ? [] : [spans[family]])));
    const rest = crowds.filter(({ spans }) => spans === null);
    return (
      unitsOf(known) / total[family] + rest.reduce((shares, { share }) => shares + share[family], 0)
    );
  };
  return isMost({ v4: addUp("v4"), v6: addUp("v6") });
}

export const isMost = ({ v4: a, v6: b }: Crowd["share"]): boolean =>
  a >= everybodyShare || b >= everybodyShare;

/** How many networks of a list would be read one by one. */
export const networkCount = (elements: readonly string[]): number =>
  elements.reduce((count, element) => count + (element.includes("/") ? 1 : 0), 0);
