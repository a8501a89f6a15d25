/** From what the store and the writer say to what the API answers with (schema/api). */
import type { Committed, RevisionDetail as RevisionChanges, RevisionItem } from "#schema/api/commits.ts";
import type { Warning } from "#schema/api/common.ts";
import { type Kind, kinds } from "#schema/intent.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import type { DatedRow, RevisionDetail, RevisionRow } from "../store/intent.ts";
import type { HeldHost } from "../writer/project.ts";
import type { CommitResult } from "../writer/index.ts";

export const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

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

/** `cursorOf` names the last item; a page that is not full is the last one. */
export const pageView = <T, V>(
  rows: readonly T[],
  limit: number,
  view: (row: T) => V,
  cursorOf: (row: T) => string,
) => {
  const last = rows.length < limit ? undefined : rows.at(-1);
  return { items: rows.map(view), next_cursor: last === undefined ? null : cursorOf(last) };
};

export const warningView = ({ severity, code, path, message, hosts }: Diagnostic): Warning => ({
  severity,
  code,
  path,
  message,
  ...(hosts === undefined ? {} : { hosts: [...hosts] }),
});

export const heldView = (held: readonly HeldHost[], revision: number) => ({
  staged: held.filter(({ as }) => as === "staged").map(({ host }) => host),
  pinned: held.filter(({ as }) => as === "pinned").map(({ host }) => host),
  waiting: held
    .filter(({ as }) => as === "waiting")
    .map(({ host, because }) => ({ host, revision, because })),
});

export const commitView = ({
  revision,
  changed,
  rows,
  hosts,
  held,
  warnings,
}: Extract<CommitResult, { ok: true }>): Committed => ({
  revision,
  changed,
  rows: [...rows],
  hosts: [...hosts],
  ...heldView(held, revision),
  warnings: warnings.map(warningView),
});

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
export function revisionDetailView({ revision, rows }: RevisionDetail): RevisionChanges {
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
