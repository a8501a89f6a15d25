/** Intent as it would be without some revisions: for each row, the last other revision that wrote or deleted it decides. Pure. */
import type { Intent, Row } from "#worker/intent/index.ts";

/** @param versions what `readVersions` gives for these revisions, and for more if need be */
export function removeRevisions(
  intent: Intent,
  versions: readonly Row[],
  revisions: readonly number[],
): readonly Row[] {
  if (revisions.length === 0) return intent.rows;
  const away = new Set(revisions);
  const touched = Map.groupBy(versions, nameOf);
  const kept = [...touched.values()].flatMap((own) => lastOf(own, away) ?? []);
  return [...intent.rows.filter((row) => !touched.has(nameOf(row))), ...kept];
}

const nameOf = ({ kind, key }: Row): string => `${kind} ${key}`;

/** A version that ends where none begins was deleted there. */
function lastOf(versions: readonly Row[], away: ReadonlySet<number>): Row | undefined {
  const begun = new Set(versions.map(({ from_revision }) => from_revision));
  let at = 0;
  let last: Row | undefined;
  const addEvent = (revision: number, row: Row | undefined): void => {
    if (away.has(revision) || revision <= at) return;
    at = revision;
    last = row;
  };
  for (const row of versions.toSorted((a, b) => a.from_revision - b.from_revision)) {
    addEvent(row.from_revision, row);
    if (row.to_revision !== null && !begun.has(row.to_revision))
      addEvent(row.to_revision, undefined);
  }
  return last;
}
