/**
 * Which scopes two rulesets have in common. A scope left out would leave its packets alone, which is wider, so every
 * interface that either side judges is judged: interfaces that have one owner on each side are one overlay. Pure.
 */
import { contains, knownNetwork } from "#schema/address.ts";
import { compareText } from "#schema/order.ts";
import type { Scope } from "#schema/ruleset.ts";
import { sortAddresses } from "./sort.ts";

export type OverlayScope = Extract<Scope, { readonly kind: "overlay" }>;

/** Interfaces with what judges them on each side; undefined: that side leaves them alone. */
export interface MetOverlay {
  readonly scope: OverlayScope;
  readonly left: OverlayScope | undefined;
  readonly right: OverlayScope | undefined;
  /** Whether its owners have no interface beside these, so that what leaves it leaves its owners too. */
  readonly whole: boolean;
}

/** Nobody's network: an overlay must have one, and no packet comes from this address. */
const nobody = "0.0.0.0/32";

/** By interfaces' owners: first those that both sides know by one name. */
export function meetOverlays(a: readonly Scope[], b: readonly Scope[]): readonly MetOverlay[] {
  const [left, right] = [ownersOf(a), ownersOf(b)];
  const interfaces = [...new Set([...left.keys(), ...right.keys()])];
  const groups = [
    ...Map.groupBy(
      interfaces,
      (each) => `${left.get(each)?.name ?? ""} ${right.get(each)?.name ?? ""}`,
    ).values(),
  ].map((shared) => {
    const [first = ""] = shared;
    return { shared, left: left.get(first), right: right.get(first) };
  });
  const isBoth = (group: (typeof groups)[number]): boolean => group.left?.name === group.right?.name;
  const taken = new Set<string>();
  return [...groups.filter(isBoth), ...groups.filter((group) => !isBoth(group))].map((group) => {
    const name = freeName([group.left?.name, group.right?.name], taken);
    taken.add(name);
    const whole = [group.left, group.right].every(
      (owner) => owner === undefined || owner.interfaces.length === group.shared.length,
    );
    return { scope: scopeOf(name, group), left: group.left, right: group.right, whole };
  });
}

const ownersOf = (scopes: readonly Scope[]): ReadonlyMap<string, OverlayScope> =>
  new Map(
    scopes.flatMap((scope) =>
      scope.kind === "overlay" ? scope.interfaces.map((name) => [name, scope] as const) : [],
    ),
  );

function freeName(wanted: readonly (string | undefined)[], taken: ReadonlySet<string>): string {
  const found = wanted.find((name) => name !== undefined && !taken.has(name));
  for (let i = 1; ; i += 1) {
    const name = found ?? `met-${i}`;
    if (!taken.has(name)) return name;
  }
}

interface Owned {
  readonly shared: readonly string[];
  readonly left: OverlayScope | undefined;
  readonly right: OverlayScope | undefined;
}

/** Subnets are the common ones, never joined: a wider one would hold pairs that no side has in one subnet. */
function scopeOf(name: string, { shared, left, right }: Owned): OverlayScope {
  const own = left ?? right;
  const subnets =
    left === undefined || right === undefined || left.subnets.join() === right.subnets.join()
      ? (own?.subnets ?? [])
      : inBoth(left.subnets, right.subnets);
  return {
    kind: "overlay",
    name,
    interfaces: shared.toSorted(compareText),
    subnets: subnets.length === 0 ? [nobody] : [...subnets],
  };
}

/** Networks that lie in one of the other list, each way: of two networks that meet, one holds the other. */
function inBoth(a: readonly string[], b: readonly string[]): readonly string[] {
  const within = (some: readonly string[], others: readonly string[]): readonly string[] => {
    const networks = others.map(knownNetwork);
    return some.filter((text) => networks.some((network) => contains(network, knownNetwork(text))));
  };
  return sortAddresses([...new Set([...within(a, b), ...within(b, a)])]);
}
