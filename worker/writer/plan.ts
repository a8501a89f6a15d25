/**
 * What a list of changes means for the open rows: which close, which open, and what intent is afterwards. Pure.
 * Changes that would write a row as it already stands fall away, so that saying the same thing twice is no revision.
 */
import { references } from "#compile/index.ts";
import { canonicalText } from "#schema/canonical.ts";
import type { Diagnostic, DiagnosticCode } from "#schema/errors.ts";
import type { Change, Kind } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import { type Intent, type Row, snapshotOf } from "../store/intent.ts";

type Written = Pick<Row, "kind" | "key" | "body">;

/** What became of one change. `revision` is the one that wrote the row as it stands, or that deleted it. */
export interface ChangedRow {
  readonly op: "created" | "updated" | "deleted" | "unchanged";
  readonly kind: Kind;
  readonly key: string;
  readonly revision: number;
}

export interface Plan {
  readonly closed: readonly Row[];
  readonly opened: readonly Written[];
  /** All open rows afterwards. */
  readonly next: readonly Written[];
  /** One for each change, in order. */
  readonly rows: readonly ChangedRow[];
}

export type Planned =
  | { readonly ok: true; readonly plan: Plan }
  /** `code` is the whole commit's: a conflict when somebody else stands in the way. */
  | {
      readonly ok: false;
      readonly code: "invalid_intent" | "conflict";
      readonly diagnostics: readonly Diagnostic[];
    };

const isGone =
  (next: ReadonlyMap<string, Written>) =>
  ({ kind, key }: Row): boolean =>
    !next.has(rowName(kind, key));

export const rowName = (kind: Kind, key: string): string => `${kind} ${key}`;

export function plan(intent: Intent, changes: readonly Change[]): Planned {
  const open = new Map(intent.rows.map((row) => [rowName(row.kind, row.key), row]));
  const malformed = [...doubled(changes), ...missing(open, changes)];
  if (malformed.length > 0) return { ok: false, code: "invalid_intent", diagnostics: malformed };

  const next = new Map<string, Written>(open);
  const opened: Written[] = [];
  const closed: Row[] = [];
  const rows = changes.map((change): ChangedRow => {
    const { kind, key } = change;
    const name = rowName(kind, key);
    const before = open.get(name);
    const body = change.op === "put" ? canonicalText(change.body) : undefined;
    if (before !== undefined && before.body === body)
      return { op: "unchanged", kind, key, revision: before.from_revision };
    if (before !== undefined) closed.push(before);
    if (body === undefined) next.delete(name);
    else {
      opened.push({ kind, key, body });
      next.set(name, { kind, key, body });
    }
    const op = body === undefined ? "deleted" : before === undefined ? "created" : "updated";
    return { op, kind, key, revision: intent.revision + 1 };
  });
  const inTheWay = [...stillReferenced([...next.values(), ...closed.filter(isGone(next))], changes)];
  if (inTheWay.length > 0) return { ok: false, code: "conflict", diagnostics: inTheWay };
  return { ok: true, plan: { closed, opened, next: [...next.values()], rows } };
}

const finding = (code: DiagnosticCode, path: string, message: string): Diagnostic => ({
  severity: "error",
  code,
  path,
  message,
});

/** One row changes once in a commit: two changes would mean whichever came last. */
function* doubled(changes: readonly Change[]): Generator<Diagnostic> {
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

function* missing(open: ReadonlyMap<string, Row>, changes: readonly Change[]): Generator<Diagnostic> {
  for (const [i, { op, kind, key }] of changes.entries())
    if (op === "delete" && !open.has(rowName(kind, key)))
      yield finding("nothing_to_delete", `/changes/${i}/key`, "expected a row that exists");
}

/**
 * Deleting what others name is refused, and says who they are.
 * @param rows all of them afterwards, and those that are deleted: names mean what they meant while these were there
 */
function* stillReferenced(rows: readonly Written[], changes: readonly Change[]): Generator<Diagnostic> {
  // Nothing names a member, and hooks delete many.
  if (!changes.some(({ op, kind }) => op === "delete" && kind !== "member")) return;
  const named = references(snapshotOf(0, rows));
  const gone = new Set(changes.flatMap(({ op, kind, key }) => (op === "delete" ? [rowName(kind, key)] : [])));
  for (const [i, { op, kind, key }] of changes.entries()) {
    if (op !== "delete") continue;
    const left = (named.get(rowName(kind, key)) ?? []).filter((by) => !gone.has(rowName(by.kind, by.key)));
    const referencers = new Set(left.map((by) => `${collections[by.kind]}/${by.key}`));
    if (referencers.size > 0)
      yield finding(
        "still_referenced",
        `/changes/${i}/key`,
        `still referenced by ${listed([...referencers])}`,
      );
  }
}

/** Where a kind lives in the paths of diagnostics and in row ids. */
export const collections = {
  host: "hosts",
  member: "members",
  overlay: "overlays",
  service: "services",
  zone: "zones",
} as const satisfies Record<Kind, string>;

/** The first twenty, and how many more. */
function listed(names: readonly string[]): string {
  const sorted = [...names].sort(compareText);
  const more = sorted.length - 20;
  return sorted.slice(0, 20).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
