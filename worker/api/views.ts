/** What the API answers with, as schemas: the same that the OpenAPI document shows. Times are ISO 8601 in UTC. */
import * as z from "zod";
import type { Diagnostic } from "#schema/refusals.ts";
import { Host, type Kind, kinds, Member, Overlay, Service, Zone } from "#schema/intent.ts";
import type { DatedRow, RevisionDetail, RevisionRow } from "../store/intent.ts";
import type { HeldHost } from "../writer/project.ts";
import type { CommitResult } from "../writer/index.ts";

export const KindName = z.enum(["host", "member", "overlay", "service", "zone"]) satisfies z.ZodType<Kind>;
export const Body = z.union([Overlay, Member, Host, Service, Zone]);

export const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** One row of intent; `revision` is the one that wrote it, and its ETag. */
const rowOf = <T extends z.ZodType>(body: T) =>
  z.strictObject({
    kind: KindName,
    key: z.string(),
    body,
    revision: z.int(),
    at: z.iso.datetime(),
    by: z.string(),
    on_behalf_of: z.string().nullable(),
    source: z.string(),
  });
export const RowViews = {
  host: rowOf(Host),
  member: rowOf(Member),
  overlay: rowOf(Overlay),
  service: rowOf(Service),
  zone: rowOf(Zone),
} as const satisfies Record<Kind, z.ZodType>;

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

/** A page of a list; `next_cursor` is null on the last one. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), next_cursor: z.string().nullable() });

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

export const Warning = z.strictObject({
  severity: z.enum(["error", "warning"]),
  code: z.string(),
  path: z.string(),
  message: z.string(),
}) satisfies z.ZodType<Pick<Diagnostic, "severity" | "path" | "message">>;

/** Hosts that do not get the revision now, by why: as asked, pinned, or because its rows need what they do not have. */
export const HeldView = {
  staged: z.array(z.string()),
  pinned: z.array(z.string()),
  waiting: z.array(z.strictObject({ host: z.string(), revision: z.int(), because: z.string() })),
};

export const heldView = (held: readonly HeldHost[], revision: number) => ({
  staged: held.filter(({ as }) => as === "staged").map(({ host }) => host),
  pinned: held.filter(({ as }) => as === "pinned").map(({ host }) => host),
  waiting: held
    .filter(({ as }) => as === "waiting")
    .map(({ host, because }) => ({ host, revision, because })),
});

export const CommitView = z.strictObject({
  revision: z.int(),
  changed: z.boolean(),
  rows: z.array(
    z.strictObject({
      op: z.enum(["created", "updated", "deleted", "unchanged"]),
      kind: KindName,
      key: z.string(),
      revision: z.int(),
    }),
  ),
  hosts: z.array(z.strictObject({ host: z.string(), seq: z.int(), bundle_sha256: z.string() })),
  ...HeldView,
  warnings: z.array(Warning),
});

export const commitView = ({
  revision,
  changed,
  rows,
  hosts,
  held,
  warnings,
}: Extract<CommitResult, { ok: true }>) => ({
  revision,
  changed,
  rows,
  hosts,
  ...heldView(held, revision),
  warnings,
});

const RevisionFields = {
  revision: z.int(),
  parent: z.int(),
  at: z.iso.datetime(),
  author: z.string(),
  on_behalf_of: z.string().nullable(),
  source: z.string(),
  message: z.string(),
};
export const RevisionView = z.strictObject(RevisionFields);
export const RevisionDetailView = z.strictObject({
  ...RevisionFields,
  changes: z.array(
    z.strictObject({ kind: KindName, key: z.string(), before: Body.nullable(), after: Body.nullable() }),
  ),
});

export const revisionView = ({ n, at, parent, author, on_behalf_of, source, message }: RevisionRow) => ({
  revision: n,
  parent,
  at: iso(at),
  author,
  on_behalf_of,
  source,
  message,
});

/** `before` is null for a row that it created, `after` for one that it deleted. */
export function revisionDetailView({ revision, rows }: RevisionDetail) {
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
