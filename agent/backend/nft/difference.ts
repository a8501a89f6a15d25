/**
 * Compares a program with nft's listing of the kernel, object by object. nft prints rules in other words than it reads
 * (it drops redundant matches, names become numbers), so a rule is compared by what it decides and by the counters and
 * sets it names, in order; sets and maps by every element. The load itself was one transaction of the very text.
 */
import { mapElements } from "#core/render/nft/print.ts";
import { type Chain, inventoryOf, type Program, type Shaped } from "#core/render/nft/program.ts";
import { inventoryOfListing, type Listing } from "./listing.ts";
import { formatElement, lineShape, formatRule } from "./shape.ts";

/**
 * Every difference in objects, hooks and rules, in words; elements are not looked at, so a terse listing will do.
 * @param before the rules as nft found them right after this program was loaded, if it was loaded here: then every
 * match of a rule is compared, and else only what it decides and the counters and sets it names
 */
export function compareStructure(
  program: Program,
  listing: Listing,
  before: Listing["rules"] | undefined,
): readonly string[] {
  if (!listing.exists)
    return ["expected our table, found none", ...program.chains.map(describeLostChain)];
  const want = inventoryOf(program);
  const have = inventoryOfListing(listing);
  return [
    ...listing.foreign.map((kind) => `found a ${kind} that is not ours`),
    ...compareNames("chain", want.chains.map(spell), have.chains.map(spell)),
    ...compareNames("set", want.sets.map(spell), have.sets.map(spell)),
    ...compareNames("map", want.maps.map(spell), have.maps.map(spell)),
    ...compareNames("counter", want.counters, have.counters),
    ...program.chains.flatMap((chain) => comparePolicy(chain, listing)),
    ...program.chains.flatMap((chain) => compareRows(chain, listing.rules, before)),
  ];
}

const spell = ({ name, shape }: Shaped): string => `${name} (${shape})`;

const describeLostChain = ({ name, lines }: Chain): string =>
  `missing chain: ${name} with ${lines.length} rules`;

function comparePolicy(chain: Chain, listing: Listing): readonly string[] {
  const found = listing.chains.find(({ name }) => name === chain.name);
  return found === undefined || found.policy === chain.hook?.policy
    ? []
    : [`chain ${chain.name}: expected policy ${chain.hook?.policy}, found ${found.policy}`];
}

/** What is missing, by the program's own text, what is surplus, and else whether the order is another one. */
function compareRows(
  chain: Chain,
  rules: Listing["rules"],
  before: Listing["rules"] | undefined,
): readonly string[] {
  const own = (found: Listing["rules"]): Listing["rules"] =>
    found.filter((rule) => rule.chain === chain.name);
  const found = own(rules);
  const [wanted, have] =
    before === undefined
      ? [chain.lines.map(lineShape), found.map(({ expr }) => formatRule(expr))]
      : [own(before).map(spellRule), found.map(spellRule)];
  const missing = findMissing(wanted, have).map(
    (at) => `chain ${chain.name}: missing rule ${at}: ${chain.lines[at]?.text ?? ""}`,
  );
  const surplus = findMissing(have, wanted).map(
    (at) => `chain ${chain.name}: surplus rule ${at}: ${formatRule(found[at]?.expr ?? [])}`,
  );
  if (missing.length + surplus.length > 0) return [...missing, ...surplus];
  const at = wanted.findIndex((text, i) => have[i] !== text);
  return at < 0 ? [] : [`chain ${chain.name}: another order from rule ${at} on`];
}

/** Handles and counts are no part of a rule. */
const spellRule = ({ expr }: Listing["rules"][number]): string => JSON.stringify(expr);

/** Places in `these` that `those` has nothing for, one for one. */
function findMissing(these: readonly string[], those: readonly string[]): readonly number[] {
  const left = new Map<string, number>();
  for (const text of those) left.set(text, (left.get(text) ?? 0) + 1);
  return these.flatMap((text, at) => {
    const count = left.get(text) ?? 0;
    left.set(text, count - 1);
    return count > 0 ? [] : [at];
  });
}

/** Every difference in the elements of sets and maps; needs a full listing. */
export function compareElements(program: Program, listing: Listing): readonly string[] {
  const found = new Map(
    [...listing.sets, ...listing.maps].map((set) => [set.name, set.elem ?? []]),
  );
  const compare = (name: string, want: readonly string[]): readonly string[] =>
    compareNames(`element of ${name}`, want, (found.get(name) ?? []).map(formatElement));
  return [
    ...program.sets.flatMap((set) => compare(set.name, set.elements)),
    ...program.maps.flatMap((map) => compare(map.name, mapElements(map))),
  ];
}

/** A listing's order is a hash's. */
function compareNames(
  what: string,
  want: readonly string[],
  have: readonly string[],
): readonly string[] {
  const wanted = new Set(want);
  const found = new Set(have);
  return [
    ...want.filter((text) => !found.has(text)).map((text) => `missing ${what}: ${text}`),
    ...have.filter((text) => !wanted.has(text)).map((text) => `surplus ${what}: ${text}`),
  ];
}
