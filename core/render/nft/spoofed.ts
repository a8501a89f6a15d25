/**
 * Sources that came by a way that is not theirs (schema/ruleset.ts): for each overlay and family one rule about what comes
 * out of its tunnel, and one for each family about what comes from elsewhere. The networks are sets, so that a subnet
 * more changes elements alone.
 */
import { compareNetworks, contains, type Family, requireNetwork } from "#schema/address.ts";
import { encodeName } from "#schema/names.ts";
import { anyArrival, type Scope, spoofedTally } from "#schema/ruleset.ts";
import { inSet, makeLine, type Match, match, outsideSet } from "./line.ts";
import { saddr } from "./match.ts";
import { families, type KernelSet, type Line } from "./program.ts";
import { quoteInterface, quoteNft, type NftText, oneOf } from "./quote.ts";
import { formatElement, familyDigits, familyOf } from "./sets.ts";

type Overlay = Extract<Scope, { readonly kind: "overlay" }>;

const overlaysOf = (scopes: readonly Scope[]): readonly Overlay[] =>
  scopes.filter((scope) => scope.kind === "overlay");

const devices = (overlays: readonly Overlay[]): NftText =>
  oneOf(overlays.flatMap(({ interfaces }) => interfaces.map(quoteInterface)));

const ownSet = ({ name }: Overlay, family: Family): string =>
  `o${familyDigits[family]}_${encodeName(name)}`;
const allSet = (family: Family): string => `all${familyDigits[family]}_overlays`;

/** What refuses them: all that comes in, or what is forwarded out of an overlay or into one. */
export function renderSpoofed(
  scopes: readonly Scope[],
  hook: "input" | "forward",
): readonly Line[] {
  const overlays = overlaysOf(scopes);
  if (overlays.length === 0) return [];
  const all = devices(overlays);
  const elsewhere = [
    match(quoteNft`iifname != ${all}`),
    ...(hook === "forward" ? [match(quoteNft`oifname ${all}`)] : []),
  ];
  return families.flatMap((family) => {
    const key = saddr[family];
    const exempt = anyArrival.filter((each) => familyOf(each) === family);
    const judged = match(
      quoteNft`${key} != ${oneOf(exempt.map((each) => formatElement(each, family)))}`,
    );
    const drop = (way: readonly Match[], set: Match): Line =>
      makeLine([...way, judged, set], spoofedTally, { kind: "drop" });
    return [
      ...overlays.map((overlay) =>
        drop(
          [match(quoteNft`iifname ${devices([overlay])}`)],
          outsideSet(key, ownSet(overlay, family)),
        ),
      ),
      drop(elsewhere, inSet(key, allSet(family))),
    ];
  });
}

/** The subnets of each overlay, and of all. */
export function makeSubnetSets(scopes: readonly Scope[]): readonly KernelSet[] {
  const overlays = overlaysOf(scopes);
  return families.flatMap((family) => [
    ...overlays.map((overlay) => setOf(ownSet(overlay, family), family, overlay.subnets)),
    setOf(
      allSet(family),
      family,
      overlays.flatMap(({ subnets }) => subnets),
    ),
  ]);
}

/** Without what lies in another one, as the kernel takes no overlaps. */
function setOf(name: string, family: Family, subnets: readonly string[]): KernelSet {
  const sorted = subnets
    .filter((subnet) => familyOf(subnet) === family)
    .map((text) => ({ text, network: requireNetwork(text) }))
    .sort((a, b) => compareNetworks(a.network, b.network));
  const apart: typeof sorted = [];
  for (const each of sorted) {
    const before = apart.at(-1);
    if (before === undefined || !contains(before.network, each.network)) apart.push(each);
  }
  return {
    name,
    family,
    kind: "networks",
    elements: apart.map(({ text }) => formatElement(text, family)),
  };
}
