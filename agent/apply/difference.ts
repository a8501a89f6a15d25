/**
 * Compares a program with nft's listing of the kernel, object by object. nft prints rules in other words than it reads
 * (it drops redundant matches, names become numbers), so a rule is compared by what it decides and by the counters and
 * sets it names, in order; sets and maps by every element. The load itself was one transaction of the very text.
 */
import { mapElements } from "#render/print.ts";
import { type Chain, inventoryOf, type Program, type Shaped } from "#render/program.ts";
import { inventoryOfListing, type Listing } from "./listing.ts";
import { elementText, lineShape, ruleShape } from "./shape.ts";

/** Every difference in objects, hooks and rules, in words; elements are not looked at, so a terse listing will do. */
export function structureDifferences(program: Program, listing: Listing): readonly string[] {
  if (!listing.exists) return ["expected our table, found none"];
  const want = inventoryOf(program);
  const have = inventoryOfListing(listing);
  return [
    ...listing.foreign.map((kind) => `found a ${kind} that is not ours`),
    ...compareNames("chain", want.chains.map(spell), have.chains.map(spell)),
    ...compareNames("set", want.sets.map(spell), have.sets.map(spell)),
    ...compareNames("map", want.maps.map(spell), have.maps.map(spell)),
    ...compareNames("counter", want.counters, have.counters),
    ...program.chains.flatMap((chain) => chainDifferences(chain, listing)),
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

/** The first rule that nft lists otherwise than before, every match of it; handles and counts are no part of a rule. */
export function ruleDifferences(before: Listing["rules"], now: Listing["rules"]): readonly string[] {
  const spelled = now.map((rule) => JSON.stringify([rule.chain, rule.expr]));
  const changed = before.find((rule, i) => JSON.stringify([rule.chain, rule.expr]) !== spelled[i]);
  return changed === undefined
    ? []
    : [`chain ${changed.chain}: a rule reads otherwise than when it was loaded`];
}

/** Every difference in the elements of sets and maps; needs a full listing. */
export function elementDifferences(program: Program, listing: Listing): readonly string[] {
  const listed = new Map([...listing.sets, ...listing.maps].map((set) => [set.name, set.elem ?? []]));
  const compare = (name: string, want: readonly string[]): readonly string[] =>
    compareNames(`element of ${name}`, want, (listed.get(name) ?? []).map(elementText));
  return [
    ...program.sets.flatMap((set) => compare(set.name, set.elements)),
    ...program.maps.flatMap((map) => compare(map.name, mapElements(map))),
  ];
}

/** First missing and first surplus one; a listing's order is a hash's. */
function compareNames(what: string, want: readonly string[], have: readonly string[]): readonly string[] {
  const wanted = new Set(want);
  const found = new Set(have);
  const missing = want.find((text) => !found.has(text));
  const surplus = have.find((text) => !wanted.has(text));
  return [
    ...(missing === undefined ? [] : [`missing ${what}: ${missing}`]),
    ...(surplus === undefined ? [] : [`surplus ${what}: ${surplus}`]),
  ];
}
