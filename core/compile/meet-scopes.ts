/**
 * Which scopes two rulesets have in common. A scope left out would leave its packets alone, which is wider, so every
 * interface that either side judges is judged: interfaces that have one owner on each side are one overlay. Where an
 * address may come from is met too: by an interface comes what both sides take by it, and what one of them expects in
 * its overlay comes by no other way. Pure.
 */
import { contains, requireNetwork } from "#schema/address.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";
import { anyArrival, listOwnDevices, type Scope, scopeId } from "#schema/ruleset.ts";
import { sortAddresses } from "#schema/address.ts";
import { meetSpans, networksOf, type Spans, spansOf, subtractSpans, unionOf } from "./spans.ts";

export type OverlayScope = Extract<Scope, { readonly kind: "overlay" }>;

/** Interfaces with what judges them on each side; undefined: that side leaves them alone. */
export interface MetOverlay {
  readonly scope: OverlayScope;
  readonly left: OverlayScope | undefined;
  readonly right: OverlayScope | undefined;
  /** Whether its owners have no interface beside these, so that what leaves it leaves its owners too. */
  readonly whole: boolean;
}

export interface MetOverlays {
  /** By interfaces' owners: first those that both sides know by one name. */
  readonly overlays: readonly MetOverlay[];
  /** What may come by no way at all: in an overlay of one side, and in none of these. */
  readonly nowhere: Spans;
}

/** Nobody's network: an overlay must have one, and this source is never judged by where it came from. */
const nobody = "0.0.0.0/32";

export function meetOverlays(a: readonly Scope[], b: readonly Scope[]): MetOverlays {
  const [left, right] = [ownersOf(a), ownersOf(b)];
  const known = [left, right].map(subnetsOf);
  const interfaces = [...new Set([...left.keys(), ...right.keys()])];
  const groups = [
    ...Map.groupBy(
      interfaces,
      (each) => `${left.get(each)?.name ?? ""} ${right.get(each)?.name ?? ""}`,
    ).values(),
  ].map((shared): Owned => {
    const [first = ""] = shared;
    return { shared, left: left.get(first), right: right.get(first) };
  });
  const isBoth = (group: Owned): boolean => group.left?.name === group.right?.name;
  const taken = new Set<string>();
  const overlays = [...groups.filter(isBoth), ...groups.filter((group) => !isBoth(group))].map(
    (group) => {
      const name = freeName([group.left?.name, group.right?.name], taken);
      taken.add(name);
      const whole = [group.left, group.right].every(
        (owner) => owner === undefined || owner.interfaces.length === group.shared.length,
      );
      return { scope: scopeOf(name, group, known), left: group.left, right: group.right, whole };
    },
  );
  const met = spansOf(overlays.flatMap(({ scope }) => scope.subnets));
  return { overlays, nowhere: subtractSpans(unionOf(...known), unionOf(met, spansOf(anyArrival))) };
}

/** A scope that is neither the host's nor an overlay's, with what it is on each side; undefined: left alone there. */
export interface MetOther {
  readonly scope: Scope;
  readonly left: Scope | undefined;
  readonly right: Scope | undefined;
  /** Whether its rules can be met; where not, nothing passes. */
  readonly exact: boolean;
}

/**
 * Scopes of other kinds. One that both sides have alike, or that the other side leaves alone, is met. All else, the same
 * name said otherwise or a device with another owner, is closed on both sides, by names that are free.
 */
export function meetOthers(a: readonly Scope[], b: readonly Scope[]): readonly MetOther[] {
  const met: MetOther[] = [];
  const known = new Set<string>();
  const claimed = new Set<string>();
  const add = (other: MetOther): void => {
    met.push(other);
    known.add(scopeId(other.scope));
    for (const device of listOwnDevices(other.scope)) claimed.add(device);
  };
  const closed: Pick<MetOther, "left" | "right" | "scope">[] = [];
  for (const [own, others, left] of [
    [a, b, true],
    [b, a, false],
  ] as const)
    for (const scope of own.filter(isOther)) {
      const twin = others.find((other) => scopeId(other) === scopeId(scope));
      const alike = twin !== undefined && formatCanonical(scope) === formatCanonical(twin);
      const ends = left ? { left: scope, right: twin } : { left: twin, right: scope };
      if (alike && left) add({ scope, ...ends, exact: true });
      else if (twin === undefined && !isClashing(scope, others))
        add({ scope, ...ends, exact: true });
      else if (!alike) closed.push({ scope, ...ends });
    }
  // A vNIC's device is judged wherever packets come by it, so one that is a vNIC's to either side is closed as that.
  const isGuest = ({ scope }: Pick<MetOther, "scope">): boolean => scope.kind === "vnic";
  for (const { scope, ...ends } of [
    ...closed.filter(isGuest),
    ...closed.filter((one) => !isGuest(one)),
  ]) {
    const devices = listOwnDevices(scope);
    if (devices.length > 0 && devices.every((device) => claimed.has(device))) continue;
    add({ scope: renameFreely(closeScope(scope), known), ...ends, exact: false });
  }
  return met;
}

const isOther = ({ kind }: Scope): boolean => kind !== "host" && kind !== "overlay";

const isClashing = (scope: Scope, others: readonly Scope[]): boolean => {
  const taken = new Set(others.flatMap(listOwnDevices));
  return listOwnDevices(scope).some((device) => taken.has(device));
};

/** Devices that are an overlay's on one side and of another kind of scope on the other. */
export function findCrossing(a: readonly Scope[], b: readonly Scope[]): ReadonlySet<string> {
  const all = [...a, ...b];
  const overlaid = all.filter(({ kind }) => kind === "overlay").flatMap(listOwnDevices);
  const others = new Set(all.filter(isOther).flatMap(listOwnDevices));
  return new Set(overlaid.filter((device) => others.has(device)));
}

/** What nothing can stay or leave by. */
function closeScope(scope: Scope): Scope {
  switch (scope.kind) {
    case "vnic":
      return { ...scope, mode: "securitygroup" };
    case "network":
      return { ...scope, inside: "isolated", egress: "none" };
    case "host":
    case "overlay":
    case "zone-pair":
      return scope;
  }
}

function renameFreely(scope: Scope, taken: ReadonlySet<string>): Scope {
  if (scope.kind === "host") return scope;
  let renamed = scope;
  for (let i = 1; taken.has(scopeId(renamed)); i += 1)
    renamed =
      scope.kind === "zone-pair" ? { ...scope, from: `met-${i}` } : { ...scope, name: `met-${i}` };
  return renamed;
}

const subnetsOf = (owners: ReadonlyMap<string, OverlayScope>): Spans =>
  spansOf([...owners.values()].flatMap(({ subnets }) => subnets));

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

/**
 * Subnets are the common ones, never joined: a wider one would hold pairs that no side has in one subnet. The side that
 * leaves the interfaces alone takes by them what is in none of its overlays.
 */
function scopeOf(
  name: string,
  { shared, left, right }: Owned,
  known: readonly Spans[],
): OverlayScope {
  const subnets =
    left === undefined || right === undefined
      ? outside((left ?? right)?.subnets ?? [], known[left === undefined ? 0 : 1] ?? [])
      : meetNetworks(left.subnets, right.subnets);
  return {
    kind: "overlay",
    name,
    interfaces: shared.toSorted(compareText),
    subnets: subnets.length === 0 ? [nobody] : [...subnets],
  };
}

/** Each subnet by itself: neighbours that were joined would be one subnet that no side has. */
const outside = (subnets: readonly string[], others: Spans): readonly string[] =>
  subnets.flatMap((subnet) => {
    const own = spansOf([subnet]);
    return meetSpans(own, others).length === 0
      ? [subnet]
      : networksOf(subtractSpans(own, others)).map(asNetwork);
  });

const asNetwork = (text: string): string =>
  text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`;

/** Networks that lie in one of the other list, each way: of two networks that meet, one holds the other. */
function meetNetworks(a: readonly string[], b: readonly string[]): readonly string[] {
  if (a.join() === b.join()) return a;
  const selectWithin = (some: readonly string[], others: readonly string[]): readonly string[] => {
    const networks = others.map(requireNetwork);
    return some.filter((text) =>
      networks.some((network) => contains(network, requireNetwork(text))),
    );
  };
  return sortAddresses([...new Set([...selectWithin(a, b), ...selectWithin(b, a)])]);
}
