/**
 * What a list of changes means for the open rows: which close, which open, and what intent is afterwards. Pure.
 * Changes that would write a row as it already stands fall away, so that saying the same thing twice is no revision.
 */
import { findReferences } from "#core/compile/index.ts";
import { formatCanonical } from "#schema/canonical.ts";
import type { Diagnostic, DiagnosticCode } from "#schema/refusals.ts";
import type { Change, Kind } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import { type Intent, type Row, snapshotOf } from "#worker/intent/index.ts";

type Written = Pick<Row, "kind" | "key" | "body">;

/** What became of one change. `revision` is the one that wrote the row as it stands, or that deleted it. */
export interface ChangedRow {
  readonly op: "created" | "updated" | "deleted" | "unchanged";
  readonly kind: Kind;
  readonly key: string;
  readonly revision: number;
}

/** How one row changes. Bodies are canonical texts; null: there is no row. */
export interface RowDifference {
  readonly op: "create" | "update" | "delete";
  readonly kind: Kind;
  readonly key: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly source_before: string | null;
}

export interface Plan {
  readonly closed: readonly Row[];
  readonly opened: readonly Written[];
  /** One for each change, in order. */
  readonly rows: readonly ChangedRow[];
  /** One for each change that says something new, in order. */
  readonly differences: readonly RowDifference[];
}

export type Planned =
  | { readonly ok: true; readonly plan: Plan }
  /** `code` is the whole commit's: a conflict when somebody else stands in the way. */
  | {
      readonly ok: false;
      readonly code: "invalid_intent" | "conflict";
      readonly diagnostics: readonly Diagnostic[];
    };

export const rowName = (kind: Kind, key: string): string => `${kind} ${key}`;

export function plan(intent: Intent, changes: readonly Change[]): Planned {
  const open = new Map(intent.rows.map((row) => [rowName(row.kind, row.key), row]));
  const malformed = [...findDoubled(changes), ...findMissing(open, changes)];
  if (malformed.length > 0) return { ok: false, code: "invalid_intent", diagnostics: malformed };

  const next = new Map<string, Written>(open);
  const opened: Written[] = [];
  const closed: Row[] = [];
  const differences: RowDifference[] = [];
  const rows = changes.map((change): ChangedRow => {
    const { kind, key } = change;
    const name = rowName(kind, key);
    const before = open.get(name);
    const body = change.op === "put" ? formatCanonical(change.body) : undefined;
    if (before !== undefined && before.body === body)
      return { op: "unchanged", kind, key, revision: before.from_revision };
    if (before !== undefined) closed.push(before);
    if (body === undefined) next.delete(name);
    else {
      opened.push({ kind, key, body });
      next.set(name, { kind, key, body });
    }
    const op = body === undefined ? "delete" : before === undefined ? "create" : "update";
    const source_before = before?.source ?? null;
    differences.push({
      op,
      kind,
      key,
      before: before?.body ?? null,
      after: body ?? null,
      source_before,
    });
    return { op: `${op}d`, kind, key, revision: intent.revision + 1 };
  });
  const deleted = closed.filter(({ kind, key }) => !next.has(rowName(kind, key)));
  const inTheWay = [...findReferenced(intent.revision, [...next.values()], deleted, changes)];
  if (inTheWay.length > 0) return { ok: false, code: "conflict", diagnostics: inTheWay };
  return { ok: true, plan: { closed, opened, rows, differences } };
}

const finding = (code: DiagnosticCode, path: string, message: string): Diagnostic => ({
  severity: "error",
  code,
  path,
  message,
});

/** One row changes once in a commit: two changes would mean whichever came last. */
function* findDoubled(changes: readonly Change[]): Generator<Diagnostic> {
  const first = new Map<string, number>();
  for (const [i, { kind, key }] of changes.entries()) {
    const name = rowName(kind, key);
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, i);
    else
      yield finding(
        "duplicate_change",
        `/changes/${i}/key`,
        `expected one change of this row, see change ${earlier}`,
      );
  }
}

function* findMissing(
  open: ReadonlyMap<string, Row>,
  changes: readonly Change[],
): Generator<Diagnostic> {
  for (const [i, { op, kind, key }] of changes.entries())
    if (op === "delete" && !open.has(rowName(kind, key)))
      yield finding("nothing_to_delete", `/changes/${i}/key`, "expected a row that exists");
}

/**
 * Deleting what others name is refused, and says who they are. Asked of intent with the commit's puts and before its
 * deletions, so that a commit may delete a row together with what names it, or point that elsewhere.
 */
function* findReferenced(
  revision: number,
  next: readonly Written[],
  deleted: readonly Written[],
  changes: readonly Change[],
): Generator<Diagnostic> {
  // Nothing names a member, and hooks delete many.
  if (deleted.every(({ kind }) => kind === "member")) return;
  const named = findReferences(snapshotOf(revision, [...next, ...deleted]));
  const away = new Set(deleted.map(({ kind, key }) => rowName(kind, key)));
  for (const [i, { op, kind, key }] of changes.entries()) {
    if (op !== "delete") continue;
    const found = named.get(rowName(kind, key)) ?? [];
    const referencers = found.filter((by) => !away.has(rowName(by.kind, by.key)));
    if (referencers.length === 0) continue;
    const message = `still referenced by ${formatNames(referencers.map(referencer))}`;
    yield {
      ...finding("still_referenced", `/changes/${i}/key`, message),
      referencers: referencers.slice(0, referencersMax),
    };
  }
}

/** As many as a problem names; a person removes them in bulk from there. */
const referencersMax = 100;

const referencer = ({ kind, key }: Pick<Written, "kind" | "key">): string =>
  `${collections[kind]}/${key}`;

/** Where a kind lives in the paths of diagnostics and in row ids. */
export const collections = {
  host: "hosts",
  member: "members",
  overlay: "overlays",
  service: "services",
  zone: "zones",
} as const satisfies Record<Kind, string>;

/** The first twenty, and how many more. */
export function formatNames(names: readonly string[]): string {
  const sorted = [...new Set(names)].sort(compareText);
  const more = sorted.length - 20;
  return sorted.slice(0, 20).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
