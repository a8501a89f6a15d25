/**
 * Which hosts' rulesets a commit can change. Never one too few: a host outside the answer has the same bytes before and
 * after. A ruleset depends on the host's own row, its overlays and their members, the services it is a target of, and
 * the addresses behind their sources; a source counts by what its name means, before and after.
 */
import type { Kind, Snapshot } from "#schema/intent.ts";
import { splitMemberKey } from "#schema/intent.ts";
import type { Entry } from "./catalog.ts";
import { catalogOf } from "./catalog.ts";
import { directoryOf, setNameOf } from "./directory.ts";

export interface ChangedRow {
  readonly kind: Kind;
  readonly key: string;
}

/**
 * Hosts of `after`. Both snapshots must compile.
 * @param changes every row that differs between the two; rows that do not differ cost precision only
 */
export function findAffectedHosts(
  before: Snapshot,
  after: Snapshot,
  changes: readonly ChangedRow[],
): ReadonlySet<string> {
  const sides = [before, after] as const;
  const sets = new Set(changes.flatMap((change) => listChangedSets(before, after, change)));
  const hosts = new Set(
    changes.flatMap((change) => sides.flatMap((side) => findRowHosts(side, change))),
  );
  const services = new Set(changes.flatMap(({ kind, key }) => (kind === "service" ? [key] : [])));
  if (sets.size + services.size > 0)
    for (const side of sides)
      for (const entry of catalogOf(directoryOf(side)))
        if (services.has(entry.key) || entry.sources.some((source) => reads(source, sets)))
          entry.hosts.forEach((host) => hosts.add(host));
  return new Set([...hosts].filter((host) => after.hosts.has(host)));
}

const reads = (source: Entry["sources"][number], sets: ReadonlySet<string>): boolean =>
  source.ok && source.reference.kind !== "any" && sets.has(setNameOf(source.reference));

/** Hosts that a row is about by itself. */
function findRowHosts(side: Snapshot, { kind, key }: ChangedRow): readonly string[] {
  switch (kind) {
    case "host":
      return [key];
    case "member":
      return findOverlayHost(side, splitMemberKey(key).overlay);
    case "overlay":
      return findOverlayHost(side, key);
    case "service":
    case "zone":
      return [];
  }
}

function findOverlayHost({ overlays }: Snapshot, key: string): readonly string[] {
  const overlay = overlays.get(key);
  return overlay === undefined ? [] : [overlay.host];
}

/** Names of the sets whose elements a row stands behind. */
function listChangedSets(
  before: Snapshot,
  after: Snapshot,
  { kind, key }: ChangedRow,
): readonly string[] {
  const sides = [before, after];
  switch (kind) {
    case "host": {
      const roles = sides.flatMap((side) => side.hosts.get(key)?.roles ?? []);
      return [
        setNameOf({ kind: "host", name: key }),
        ...roles.map((name) => setNameOf({ kind: "role", name })),
      ];
    }
    case "zone":
      return [setNameOf({ kind: "zone", name: key })];
    case "member": {
      const { overlay } = splitMemberKey(key);
      const groups = sides.flatMap((side) => side.members.get(key)?.group ?? []);
      return groups.map((group) => setNameOf({ kind: "group", overlay, group }));
    }
    case "overlay":
    case "service":
      return [];
  }
}
