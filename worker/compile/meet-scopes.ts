/**
 * Which scopes two rulesets have in common. A scope left out would leave its packets alone, which is wider, so every
 * interface that either side judges is judged: by its own overlay where nothing about it is in doubt, else by one
 * overlay where nothing passes. Pure.
 */
import { compareText } from "#schema/order.ts";
import type { Scope } from "#schema/ruleset.ts";
import { inBoth } from "./meet-names.ts";
import type { OverlayIntent } from "./overlay.ts";
import { sortAddresses } from "./sort.ts";

type OverlayScope = Extract<Scope, { readonly kind: "overlay" }>;
type Overlays = ReadonlyMap<string, OverlayScope>;

export interface MetScopes {
  readonly scopes: readonly Scope[];
  /** An overlay that isolates the interfaces in doubt; undefined when there are none. */
  readonly contested: OverlayIntent | undefined;
}

export function meetScopes(a: readonly Scope[], b: readonly Scope[]): MetScopes {
  const [left, right] = [overlaysOf(a), overlaysOf(b)];
  const names = [...new Set([...left.keys(), ...right.keys()])].sort(compareText);
  const kept = names.flatMap((name) => commonOverlay(name, left, right));
  const settled = new Set(kept.flatMap(({ interfaces }) => interfaces));
  const overlays = [...left.values(), ...right.values()];
  const doubtful = new Set(
    overlays.flatMap(({ interfaces }) => interfaces).filter((name) => !settled.has(name)),
  );
  const host = [...a, ...b].some(({ kind }) => kind === "host");
  return {
    scopes: [...(host ? [{ kind: "host" } as const] : []), ...kept],
    contested: doubtful.size === 0 ? undefined : isolated(new Set(names), doubtful, overlays),
  };
}

const overlaysOf = (scopes: readonly Scope[]): Overlays =>
  new Map(scopes.flatMap((scope) => (scope.kind === "overlay" ? [[scope.name, scope] as const] : [])));

/**
 * An overlay with the interfaces that are its own on both sides; on the side that does not know the overlay they are
 * nobody's. Subnets are the common ones, never joined: a wider one would hold pairs that no side has in one subnet.
 */
function commonOverlay(name: string, left: Overlays, right: Overlays): readonly OverlayScope[] {
  const [x, y] = [left.get(name), right.get(name)];
  const scope = x ?? y;
  if (scope === undefined) return [];
  const interfaces = scope.interfaces.filter(
    (each) => ownerOf(left, each) === x?.name && ownerOf(right, each) === y?.name,
  );
  const subnets =
    x === undefined || y === undefined ? scope.subnets : sortAddresses(inBoth(x.subnets, y.subnets));
  return interfaces.length === 0 || subnets.length === 0 ? [] : [{ ...scope, interfaces, subnets }];
}

const ownerOf = (overlays: Overlays, name: string): string | undefined =>
  [...overlays.values()].find(({ interfaces }) => interfaces.includes(name))?.name;

function isolated(
  taken: ReadonlySet<string>,
  doubtful: ReadonlySet<string>,
  overlays: readonly OverlayScope[],
): OverlayIntent {
  let key = "contested";
  while (taken.has(key)) key += "-";
  const owners = overlays.filter(({ interfaces }) => interfaces.some((name) => doubtful.has(name)));
  const subnets = sortAddresses([...new Set(owners.flatMap((owner) => owner.subnets))]);
  const interfaces = [...doubtful].sort(compareText);
  return { key, body: { host: "", interfaces, subnets, policy: "full-isolation", groups: [] }, members: [] };
}
