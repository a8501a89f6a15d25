/**
 * What names in a catalog mean: which zones, roles, hosts and groups exist, and which addresses stand behind each.
 * Built once for a snapshot. A role exists when a host lists it or a service bears its name.
 */
import type { Member, Snapshot } from "#schema/intent.ts";
import { splitMemberKey } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { NamedSet } from "#schema/ruleset.ts";
import type { SourceName } from "#schema/source.ts";
import { parseSource } from "#schema/source.ts";
import { minimalNetworks } from "./cover.ts";
import { groupSet, sourceSets } from "./names.ts";
import { sortAddresses } from "#schema/address.ts";

/** A source whose name is settled: what `from` means, once a bare name is known for a zone, a role or a host. */
export type Reference = Exclude<SourceName, { readonly kind: "bare" }>;
/** A reference to addresses, so not `any`. */
export type Addressed = Exclude<Reference, { readonly kind: "any" }>;

export type Meaning =
  | { readonly ok: true; readonly reference: Reference }
  | {
      readonly ok: false;
      readonly code: "unknown_name" | "ambiguous_name";
      readonly message: string;
    };

export interface Directory {
  readonly snapshot: Snapshot;
  /** Hosts that list a role, by key; empty where only a service names it. */
  readonly roles: ReadonlyMap<string, readonly string[]>;
  /** Members of each overlay. */
  readonly members: ReadonlyMap<string, readonly Member[]>;
  /** Addresses of each group, by `overlay/group`. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
}

export function directoryOf(snapshot: Snapshot): Directory {
  const roles = new Map<string, string[]>(
    [...snapshot.services.keys()].map((service) => [service, []]),
  );
  for (const [key, { roles: own }] of [...snapshot.hosts].sort(([a], [b]) => compareText(a, b)))
    for (const role of own) append(roles, role, [key]);
  const members = new Map<string, Member[]>();
  const groups = new Map<string, string[]>();
  for (const [key, member] of snapshot.members) {
    const { overlay } = splitMemberKey(key);
    append(members, overlay, [member]);
    append(groups, `${overlay}/${member.group}`, member.addresses);
  }
  return { snapshot, roles, members, groups };
}

function append<T>(lists: Map<string, T[]>, key: string, items: readonly T[]): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [...items]);
  else list.push(...items);
}

/** What a `from` means. Expects one that schema/source.ts reads. */
export function meaningOf(directory: Directory, from: string): Meaning {
  const parsed = parseSource(from);
  if (!parsed.ok) return unknown(parsed.expected, from);
  const { source } = parsed;
  switch (source.kind) {
    case "any":
    case "network":
      return { ok: true, reference: source };
    case "zone":
    case "role":
    case "host":
      return isNamed(directory, source.kind, source.name)
        ? { ok: true, reference: source }
        : unknown(`a declared ${source.kind}`, source.name);
    case "group":
      return directory.snapshot.overlays.get(source.overlay)?.groups.includes(source.group) === true
        ? { ok: true, reference: source }
        : unknown("a declared overlay and one of its groups", `${source.overlay}/${source.group}`);
    case "bare":
      return findBareMeaning(directory, source.name);
  }
}

const unknown = (expected: string, found: string): Meaning => ({
  ok: false,
  code: "unknown_name",
  message: `expected ${expected}, found ${found}`,
});

function findBareMeaning(directory: Directory, name: string): Meaning {
  const kinds = (["zone", "role", "host"] as const).filter((kind) =>
    isNamed(directory, kind, name),
  );
  const [kind, other] = kinds;
  if (kind === undefined) return unknown("a declared zone, role or host", name);
  if (other === undefined) return { ok: true, reference: { kind, name } };
  const spellings = kinds.map((each) => `${each}:${name}`).join(" or ");
  return {
    ok: false,
    code: "ambiguous_name",
    message: `${name} is more than one thing: write ${spellings}`,
  };
}

function isNamed(
  { snapshot, roles }: Directory,
  kind: "zone" | "role" | "host",
  name: string,
): boolean {
  switch (kind) {
    case "zone":
      return snapshot.zones.has(name);
    case "role":
      return roles.has(name);
    case "host":
      return snapshot.hosts.has(name);
  }
}

/** The set that a reference names. It may be empty: then it matches nothing. */
export function setOf(directory: Directory, reference: Addressed): NamedSet {
  const name = setNameOf(reference);
  const { snapshot, roles, groups } = directory;
  switch (reference.kind) {
    case "network":
      return { name, kind: "networks", elements: minimalNetworks([reference.cidr]) };
    case "zone":
      return {
        name,
        kind: "networks",
        elements: minimalNetworks(snapshot.zones.get(reference.name)?.cidrs ?? []),
      };
    case "host":
    case "role": {
      const hosts =
        reference.kind === "host" ? [reference.name] : (roles.get(reference.name) ?? []);
      const addresses = hosts.flatMap((host) => snapshot.hosts.get(host)?.addresses ?? []);
      return { name, kind: "hosts", elements: sortAddresses(addresses) };
    }
    case "group": {
      const addresses = groups.get(`${reference.overlay}/${reference.group}`) ?? [];
      return { name, kind: "addresses", elements: sortAddresses(addresses) };
    }
  }
}

/** Injective: two references share a set exactly when they mean the same thing. */
export function setNameOf(reference: Addressed): string {
  switch (reference.kind) {
    case "network":
      return sourceSets.network(reference.cidr);
    case "zone":
    case "role":
    case "host":
      return sourceSets[reference.kind](reference.name);
    case "group":
      return groupSet(reference.overlay, reference.group);
  }
}
