/** From what the store and the writer say to what the API answers with (schema/api). */
import type { RevisionDetail as RevisionChanges, RevisionItem } from "#schema/api/commits.ts";
import { type Kind, kinds } from "#schema/intent.ts";
import type { DatedRow, RevisionDetail, RevisionRow } from "./rows.ts";
import { iso } from "#worker/http/views.ts";

export const rowView = (row: DatedRow) => ({
  kind: row.kind,
  key: row.key,
  body: bodyOf(row),
  revision: row.from_revision,
  at: iso(row.at),
  by: row.by,
  on_behalf_of: row.on_behalf_of,
  source: row.source,
});

export const bodyOf = ({ kind, body }: { readonly kind: Kind; readonly body: string }) =>
  kinds[kind].body.parse(JSON.parse(body));

export const revisionView = ({
  n,
  at,
  parent,
  author,
  on_behalf_of,
  source,
  message,
}: RevisionRow): RevisionItem => ({
  revision: n,
  parent,
  at: iso(at),
  author,
  on_behalf_of,
  source,
  message,
});

/** `before` is null for a row that it created, `after` for one that it deleted. */
export function makeRevisionDetail({ revision, rows }: RevisionDetail): RevisionChanges {
  const byRow = Map.groupBy(rows, ({ kind, key }) => `${kind} ${key}`);
  const changes = [...byRow.values()].flatMap((versions) => {
    const before = versions.find((row) => row.to_revision === revision.n);
    const after = versions.find((row) => row.from_revision === revision.n);
    const row = after ?? before;
    if (row === undefined) return [];
    return [{ kind: row.kind, key: row.key, before: bodyOrNull(before), after: bodyOrNull(after) }];
  });
  return { ...revisionView(revision), changes };
}

const bodyOrNull = (row: Parameters<typeof bodyOf>[0] | undefined) =>
  row === undefined ? null : bodyOf(row);
