/**
 * A guard's check of bundles that are made to keep it busy, as large as a bundle may be, beside JSON.parse of the same
 * bytes; and the longest that an agent's loop stands still for one of them: decoding, check and rendering.
 */
import { decodeBundle, encodeBundle, sizeLimits } from "#schema/bundle.ts";
import { Guard } from "#schema/guard.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { guardRefusals } from "#core/simulate/admission.ts";
import { render } from "#core/render/index.ts";
import { families, type Family } from "#test/support/hostile-families.ts";
import { lowerQuartileMs, type Row } from "./apply.ts";

const guard = Guard.parse({ management: { interfaces: ["mgmt0"], allow: [] } });
const rounds = 15;

/** Ratios are to be at most their goal. */
export const bench = (): Promise<readonly Row[]> => {
  const all = Object.entries(families).map(([name, family]) => ({ name, ...largest(family) }));
  return Promise.resolve([...all.map(checkRow), blockRow(all)]);
};

interface Large {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly ruleset: Ruleset;
}

/** As large as a bundle may be, within a factor of two, or as large as the family makes them. */
function largest(family: Family): Omit<Large, "name"> {
  let [ruleset, bytes] = [family(1_000), encodeBundle(family(1_000))];
  for (let n = 2_000; ; n *= 2) {
    const larger = family(n);
    const encoded = encodeBundle(larger);
    if (encoded.length > sizeLimits.bundle || encoded.length === bytes.length)
      return { ruleset, bytes };
    [ruleset, bytes] = [larger, encoded];
  }
}

function checkRow({ name, bytes, ruleset }: Large): Row {
  const text = new TextDecoder().decode(bytes);
  const seconds: readonly [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    seconds[0].push(secondsOf(() => guardRefusals(ruleset, guard)));
    seconds[1].push(secondsOf(() => JSON.parse(text)));
  }
  const [value, floor] = [lowerQuartileMs(seconds[0]), lowerQuartileMs(seconds[1])];
  const kilobytes = Math.round(bytes.length / 1000);
  return {
    name: `check, ms: ${name}, ${kilobytes} kB`,
    value,
    floor,
    ratio: value / floor,
    goal: 2,
  };
}

function blockRow(all: readonly Large[]): Row {
  const measured = all.map(({ bytes }) => ({
    value: 1000 * secondsOf(() => cycle(bytes)),
    floor: 1000 * secondsOf(() => JSON.parse(new TextDecoder().decode(bytes))),
  }));
  const longest = measured.toSorted((a, b) => b.value - a.value)[0] ?? {
    value: Number.NaN,
    floor: Number.NaN,
  };
  return {
    name: "longest without a turn for others, ms",
    ...longest,
    ratio: longest.value / longest.floor,
    goal: null,
  };
}

/** What an agent does with a bundle before it loads it. */
function cycle(bytes: Uint8Array): void {
  const decoded = decodeBundle(bytes);
  if (decoded.ok && guardRefusals(decoded.ruleset, guard).length === 0)
    render(decoded.ruleset, guard);
}

function secondsOf(work: () => unknown): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}
