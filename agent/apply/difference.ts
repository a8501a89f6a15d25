/**
 * Compares a program with nft's listing of the kernel, object by object. nft prints rules in other words than it reads
 * (it drops redundant matches, names become numbers), so a rule is compared by what it decides and by the counters and
 * sets it names, in order; sets and maps by every element. The load itself was one transaction of the very text.
 */
import { setElements } from "#render/print.ts";
import { type Chain, inventoryOf, type Program, type Shaped } from "#render/program.ts";
import { inventoryOfListing, type Listing } from "./listing.ts";
import { elementText, lineShape, ruleShape } from "./shape.ts";

/** Every difference, in words; none when the kernel holds the program. */
export function differences(program: Program, listing: Listing): readonly string[] {
  if (!listing.exists) return ["expected our table, found none"];
  const want = inventoryOf(program);
  const have = inventoryOfListing(listing);
  return [
    ...listing.foreign.map((kind) => `found a ${kind} that is not ours`),
    ...compareSorted("chain", want.chains.map(spell), have.chains.map(spell)),
    ...compareSorted("set", want.sets.map(spell), have.sets.map(spell)),
    ...compareSorted("map", want.maps.map(spell), have.maps.map(spell)),
    ...compareSorted("counter", want.counters, have.counters),
    ...program.chains.flatMap((chain) => chainDifferences(chain, listing)),
    ...elementDifferences(program, listing),
  ];
}

const spell = ({ name, shape }: Shaped): string => `${name} (${shape})`;

function chainDifferences(chain: Chain, listing: Listing): readonly string[] {
  const policy = listing.chains.find(({ name }) => name === chain.name)?.policy;
  const wanted = chain.lines.map(lineShape);
  const found = listing.rules.filter((rule) => rule.chain === chain.name).map((rule) => ruleShape(rule.expr));
  const at = wanted.findIndex((shape, i) => found[i] !== shape);
  return [
    ...(policy === chain.hook?.policy
      ? []
      : [`chain ${chain.name}: expected policy ${chain.hook?.policy}, found ${policy}`]),
    ...(at >= 0
      ? [`chain ${chain.name} rule ${at}: expected ${wanted[at]}, found ${found[at] ?? "none"}`]
      : []),
    ...(found.length > wanted.length
      ? [`chain ${chain.name}: expected ${wanted.length} rules, found ${found.length}`]
      : []),
  ];
}

function elementDifferences(program: Program, listing: Listing): readonly string[] {
  const listed = new Map([...listing.sets, ...listing.maps].map((set) => [set.name, set.elem ?? []]));
  const found = (name: string): readonly string[] => (listed.get(name) ?? []).map(elementText);
  return [
    ...program.sets.flatMap((set) =>
      compareSorted(`element of ${set.name}`, setElements(set), found(set.name)),
    ),
    ...program.maps.flatMap((map) =>
      compareSorted(
        `element of ${map.name}`,
        map.elements.map(({ address, chain }) => `${address} : jump ${chain}`),
        found(map.name),
      ),
    ),
  ];
}

/** First missing and first surplus one; a listing's order is a hash's. */
function compareSorted(what: string, want: readonly string[], have: readonly string[]): readonly string[] {
  const wanted = new Set(want);
  const found = new Set(have);
  const missing = want.find((text) => !found.has(text));
  const surplus = have.find((text) => !wanted.has(text));
  return [
    ...(missing === undefined ? [] : [`missing ${what}: ${missing}`]),
    ...(surplus === undefined ? [] : [`surplus ${what}: ${surplus}`]),
  ];
}
