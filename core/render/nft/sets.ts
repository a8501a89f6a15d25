/**
 * Named sets and subnet pairs as kernel sets, one for each family. A name carries the set's family and kind, so a set
 * is never declared again with another type or other flags, which the kernel refuses with "File exists".
 */
import { type Family, formatAddress, requireNetwork } from "#schema/address.ts";
import { encodeName } from "#schema/names.ts";
import type { NamedSet, Ruleset, Scope } from "#schema/ruleset.ts";
import { families, type KernelSet } from "./program.ts";
import { quoteNetwork, quoteNft, type NftText } from "./quote.ts";
import type { RulesetIndex } from "./ruleset-index.ts";

/** In names. */
const kindLetters: Readonly<Record<NamedSet["kind"], string>> = {
  addresses: "a",
  hosts: "h",
  networks: "n",
};
export const familyDigits: Readonly<Record<Family, string>> = { v4: "4", v6: "6" };

/** @throws RangeError for a set that the ruleset does not declare; its schema excludes that. */
export function setName(name: string, { sets }: RulesetIndex, family: Family): string {
  const set = sets.get(name);
  if (set === undefined) throw new RangeError(`undeclared set ${name}`);
  return kernelName(set, family);
}

const kernelName = ({ name, kind }: NamedSet, family: Family): string =>
  `${kindLetters[kind]}${familyDigits[family]}_${name}`;

/** Of a canonical address or network. */
export const familyOf = (text: string): Family => (text.includes(":") ? "v6" : "v4");

/** As nft lists it: a network of one address is that address. */
export function formatElement(element: string, family: Family): NftText {
  const single = family === "v4" ? "/32" : "/128";
  return quoteNetwork(element.endsWith(single) ? element.slice(0, -single.length) : element);
}

/** Subnets of an overlay with one prefix length. */
export const pairSetName = (overlay: string, family: Family, prefix: number): string =>
  `s${familyDigits[family]}_${prefix}_${encodeName(overlay)}`;

/** Prefix lengths of a scope's subnets in one family, ascending. */
export function listPrefixLengths(scope: Scope, family: Family): readonly number[] {
  if (scope.kind !== "overlay") return [];
  const lengths = scope.subnets.map(requireNetwork).filter((subnet) => subnet.family === family);
  return [...new Set(lengths.map((subnet) => subnet.prefix))].sort((a, b) => a - b);
}

/** Every set of a program, of named sets and of subnets. */
export function makeKernelSets(ruleset: Ruleset): readonly KernelSet[] {
  const named = ruleset.sets.flatMap((set) =>
    families.map((family) => ({
      name: kernelName(set, family),
      family,
      kind: set.kind === "networks" ? ("networks" as const) : ("addresses" as const),
      elements: set.elements
        .filter((element) => familyOf(element) === family)
        .map((element) => formatElement(element, family)),
    })),
  );
  return [...named, ...ruleset.scopes.flatMap(makePairSets)];
}

function makePairSets(scope: Scope): readonly KernelSet[] {
  if (scope.kind !== "overlay") return [];
  const byLength = Map.groupBy(
    scope.subnets.map(requireNetwork),
    ({ family, prefix }) => `${family} ${prefix}` as const,
  );
  return families.flatMap((family) =>
    listPrefixLengths(scope, family).map((prefix) => ({
      name: pairSetName(scope.name, family, prefix),
      family,
      kind: "pairs" as const,
      elements: (byLength.get(`${family} ${prefix}`) ?? []).map((known) => {
        const first = quoteNetwork(formatAddress(family, known.first));
        return quoteNft`${first} . ${first}`;
      }),
    })),
  );
}
