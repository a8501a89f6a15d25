/**
 * Rulesets host by host from one prepared snapshot: everything that hosts share is made once, so what a host costs
 * depends on its own services and overlays and not on the size of the fleet.
 */
import { compareText } from "#schema/order.ts";
import type { NamedSet, Rule, Ruleset } from "#schema/ruleset.ts";
import type { Entry } from "./catalog.ts";
import type { Directory } from "./directory.ts";
import { setNameOf, setOf } from "./directory.ts";
import type { GrantRule } from "./grants.ts";
import { compareGrants, defaultDrop, grantRules } from "./grants.ts";
import { defaultRow } from "./names.ts";
import type { OverlayIntent } from "./overlay.ts";
import { compileOverlay } from "./overlay.ts";

/** Gives the ruleset of a declared host. Relies on diagnosed intent. */
export function makeHostCompiler(
  directory: Directory,
  catalog: readonly Entry[],
): (host: string) => Ruleset {
  const overlays = Map.groupBy(listOverlays(directory), (overlay) => overlay.body.host);
  const services = Map.groupBy(
    catalog.flatMap((entry) => entry.hosts.map((host) => ({ host, entry }))),
    ({ host }) => host,
  );
  const rulesOf = memoise(grantRules);
  const sets = new Map<string, NamedSet>();
  const setsOf = (grants: readonly GrantRule[]): readonly NamedSet[] =>
    grants.flatMap(({ reference }) => {
      if (reference.kind === "any") return [];
      const name = setNameOf(reference);
      const set = sets.get(name) ?? setOf(directory, reference);
      sets.set(name, set);
      return [set];
    });
  return (host) => {
    const grants = (services.get(host) ?? []).flatMap(({ entry }) => rulesOf(entry));
    const parts = (overlays.get(host) ?? []).map(compileOverlay);
    return {
      scopes: [{ kind: "host" }, ...parts.flatMap((part) => part.scopes)],
      sets: distinct([...setsOf(grants), ...parts.flatMap((part) => part.sets)]),
      classes: parts.flatMap((part) => part.classes).sort(byName),
      rules: [...hostRules(grants), ...parts.flatMap((part) => part.rules)],
    };
  };
}

function listOverlays({ snapshot, members }: Directory): readonly OverlayIntent[] {
  return [...snapshot.overlays]
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, body]) => ({ key, body, members: members.get(key) ?? [] }));
}

/** Default deny: whatever no grant names is dropped. What goes out is left alone, so there is no rule for it. */
const hostRules = (grants: readonly GrantRule[]): Rule[] => [
  ...grants.toSorted(compareGrants).map(({ rule }) => rule),
  defaultDrop(defaultRow),
];

const byName = (a: { readonly name: string }, b: { readonly name: string }) =>
  compareText(a.name, b.name);

/** Two grants from one source share its set, and so does an overlay's policy that names the same group. */
const distinct = (sets: readonly NamedSet[]): NamedSet[] =>
  [...new Map(sets.map((set) => [set.name, set])).values()].sort(byName);

function memoise<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const known = made.get(key) ?? make(key);
    made.set(key, known);
    return known;
  };
}
