/**
 * How much of those who can send over the internet a list of addresses and networks is. Space that nobody can send
 * from, or only from within a site, counts nothing, so that "everybody" can be said neither in halves nor in shares of
 * an address space that is mostly empty. Pure; exact where it matters and never too low.
 */
import { meet, minus, type Ranges, rangesOf, everywhere, union } from "./ranges.ts";

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

const v4 = meet(everywhere, rangesOf(["0.0.0.0/0"]));
const routable: Readonly<Record<"v4" | "v6", Ranges>> = {
  v4: minus(v4, rangesOf(special4)),
  v6: rangesOf(assigned6),
};

const sizeOf = (ranges: Ranges): number =>
  ranges.reduce((sum, [first, last]) => sum + Number(last - first + 1n), 0);
const total = { v4: sizeOf(routable.v4), v6: sizeOf(routable.v6) } as const;

/** From this share of either family's senders on it is everybody: more than three /8 of IPv4, two /15 of IPv6. */
const everybodyShare = 1 / 64;
/** A single range of more addresses than this is wide: a /8 of IPv4, a /20 of IPv6. */
const widest = { v4: 1n << 24n, v6: 1n << 108n } as const;

export interface Crowd {
  /** All of them, whoever that is. */
  readonly everybody: boolean;
  /** Some network of it is shorter than a /8 of IPv4 or a /20 of IPv6, of space that can send. */
  readonly wide: boolean;
  /** Shares of those who can send, 0 to 1; never too low. */
  readonly share: Readonly<Record<"v4" | "v6", number>>;
  /** The part of it that can send; null where it is so little that only its share is known. */
  readonly ranges: Ranges | null;
}

export const everybody: Crowd = { everybody: true, wide: true, share: { v4: 1, v6: 1 }, ranges: null };

/** Below this share of either family nobody looks at where it lies. */
const littleShare = everybodyShare / 1024;

/**
 * @param elements canonical addresses and networks
 * @param exactMax how many networks may be read one by one; of more than that the share is an upper bound
 */
export function crowdOf(elements: readonly string[], exactMax: number): Crowd {
  const share = shareAtMost(elements);
  const little = share.v4 < littleShare && share.v6 < littleShare;
  if (little) return { everybody: false, wide: false, share, ranges: null };
  const networks = elements.filter((element) => element.includes("/"));
  if (networks.length > exactMax)
    return isMost(share) ? everybody : { ...everybody, everybody: false, share };
  const all = rangesOf(networks);
  const v4Part = meet(all, routable.v4);
  const v6Part = meet(all, routable.v6);
  const exact = { v4: sizeOf(v4Part) / total.v4, v6: sizeOf(v6Part) / total.v6 };
  return {
    everybody: isMost(exact),
    wide: isWide(v4Part, widest.v4) || isWide(v6Part, widest.v6),
    share: exact,
    ranges: [...v4Part, ...v6Part],
  };
}

/** Together, each address once. */
export function isEverybody(crowds: readonly Crowd[]): boolean {
  if (crowds.some((crowd) => crowd.everybody)) return true;
  const known = union(crowds.flatMap(({ ranges }) => (ranges === null ? [] : [ranges])));
  const rest = crowds.filter(({ ranges }) => ranges === null);
  const sum = (family: "v4" | "v6"): number =>
    sizeOf(meet(known, routable[family])) / total[family] +
    rest.reduce((shares, { share }) => shares + share[family], 0);
  return isMost({ v4: sum("v4"), v6: sum("v6") });
}

export const isMost = ({ v4: a, v6: b }: Crowd["share"]): boolean =>
  a >= everybodyShare || b >= everybodyShare;

/** By the lengths of prefixes alone: each network as if all of it could send. Single addresses are next to nothing. */
function shareAtMost(elements: readonly string[]): Crowd["share"] {
  let [four, six] = [0, 0];
  for (const element of elements) {
    const slash = element.indexOf("/");
    const isFour = !element.includes(":");
    const prefix = slash < 0 ? (isFour ? 32 : 128) : Number(element.slice(slash + 1));
    if (isFour) four += 2 ** (32 - prefix);
    else six += 2 ** (128 - prefix);
  }
  return { v4: four / total.v4, v6: six / total.v6 };
}

/** Ranges that touch are one here: two halves of a network are that network. */
function isWide(ranges: Ranges, most: bigint): boolean {
  let from: bigint | undefined;
  let before = -1n;
  for (const [first, last] of ranges) {
    if (from === undefined || first !== before + 1n) from = first;
    before = last;
    if (last - from + 1n > most) return true;
  }
  return false;
}

/** How many networks of a list would be read one by one. */
export const networkCount = (elements: readonly string[]): number =>
  elements.reduce((count, element) => count + (element.includes("/") ? 1 : 0), 0);
