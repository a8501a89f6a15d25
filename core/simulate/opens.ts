/** What a change opens and closes, as plain values: the first of each, addresses as texts. Pure. */
import type { Direction, Ruleset } from "#schema/ruleset.ts";
import { formatTime } from "./describe.ts";
import { type Opening, findOpenings, type Peers } from "./openings.ts";
import { textsOf } from "./ranges.ts";

export interface DescribedPeers {
  readonly name: string | null;
  /** None where the name is `any`. */
  readonly addresses: string[];
  readonly more: boolean;
}

export interface DescribedOpening {
  readonly scope: string;
  readonly direction: Direction;
  readonly what: string;
  readonly from: DescribedPeers;
  readonly to: DescribedPeers;
  /** ISO 8601 in UTC. */
  readonly until: string | null;
  readonly row: string;
}

export interface Opens {
  readonly opens: DescribedOpening[];
  readonly closes: DescribedOpening[];
  /** Whether there is more of either. */
  readonly more: boolean;
}

export const nothingOpens = (): Opens => ({ opens: [], closes: [], more: false });

const openingsMax = 100;
const addressesMax = 20;

export function opensBetween(before: Ruleset, after: Ruleset): Opens {
  const opens = firstOf(findOpenings(before, after), openingsMax + 1);
  const closes = firstOf(findOpenings(after, before), openingsMax + 1);
  return {
    opens: opens.slice(0, openingsMax).map(describeOpening),
    closes: closes.slice(0, openingsMax).map(describeOpening),
    more: opens.length > openingsMax || closes.length > openingsMax,
  };
}

function firstOf<T>(items: Iterable<T>, most: number): readonly T[] {
  const found: T[] = [];
  for (const item of items) {
    found.push(item);
    if (found.length >= most) break;
  }
  return found;
}

const describeOpening = ({ from, to, until, ...opening }: Opening): DescribedOpening => ({
  ...opening,
  from: describePeers(from),
  to: describePeers(to),
  until: until === null ? null : formatTime(until),
});

function describePeers({ name, ranges }: Peers): DescribedPeers {
  const addresses = name === "any" ? [] : textsOf(ranges, addressesMax + 1);
  return {
    name,
    addresses: addresses.slice(0, addressesMax),
    more: addresses.length > addressesMax,
  };
}
