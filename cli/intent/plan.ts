/**
 * What a catalog changes: desired rows against the rows that stand. Pure. A source owns the rows it wrote last, and
 * only those: another source's row is never deleted, and never changed unless it is adopted by name of the option. An
 * empty checkout must not close a fleet, so deletions above a share need their number said.
 */
import type { CurrentRow } from "#cli/http/pages.ts";
import { formatCanonical } from "#schema/canonical.ts";
import type { Change, Kind } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";

export interface DesiredRow {
  readonly put: Extract<Change, { op: "put" }>;
}

export interface PlanOptions {
  readonly source: string;
  readonly prune: boolean;
  readonly adopt: boolean;
  /** How many deletions are meant; undefined when nothing was said. */
  readonly allowDelete: number | undefined;
}

export interface RowName {
  readonly kind: Kind;
  readonly key: string;
}

export type Planned =
  /** `changes` by kind and key; `undeclared` are rows of the source that no file declares, and that stay. */
  | {
      readonly ok: true;
      readonly changes: readonly Change[];
      readonly undeclared: readonly RowName[];
    }
  | { readonly ok: false; readonly refusals: readonly string[] };

/** The share of a source's rows of one kind that may go without saying: one in five. */
const share = 5;

/** The changes that make the source's rows what the catalog says, or every reason why not. */
export function planChanges(
  desired: readonly DesiredRow[],
  current: readonly CurrentRow[],
  options: PlanOptions,
): Planned {
  const present = new Map(current.map((row) => [idOf(row), row]));
  const wanted = new Set(desired.map(({ put }) => idOf(put)));
  const differing = desired
    .map(({ put }) => put)
    .filter((put) => {
      const row = present.get(idOf(put));
      return row === undefined || formatCanonical(row.body) !== formatCanonical(put.body);
    });
  const own = current.filter(({ source }) => source === options.source);
  const gone = own.filter((row) => !wanted.has(idOf(row)));
  const refusals = [
    ...(options.adopt ? [] : foreign(differing, present, options.source)),
    ...(options.prune ? refuseTooMany(own, gone, options.allowDelete) : []),
  ];
  if (refusals.length > 0) return { ok: false, refusals };
  const deletions = options.prune
    ? gone.map(({ kind, key }): Change => ({ op: "delete", kind, key }))
    : [];
  return {
    ok: true,
    changes: [...differing, ...deletions].toSorted((a, b) => compareText(idOf(a), idOf(b))),
    undeclared: options.prune
      ? []
      : gone
          .map(({ kind, key }) => ({ kind, key }))
          .toSorted((a, b) => compareText(idOf(a), idOf(b))),
  };
}

const idOf = ({ kind, key }: { readonly kind: string; readonly key: string }): string =>
  `${kind} ${key}`;

const foreign = (
  puts: readonly DesiredRow["put"][],
  present: ReadonlyMap<string, CurrentRow>,
  source: string,
): readonly string[] =>
  puts.flatMap((put) => {
    const row = present.get(idOf(put));
    return row === undefined || row.source === source
      ? []
      : [`${idOf(put)} belongs to source ${row.source} and differs; --adopt takes it over`];
  });

/** Emptying a kind is more than the share of it, however few rows there were. */
function refuseTooMany(
  own: readonly CurrentRow[],
  gone: readonly CurrentRow[],
  allowed: number | undefined,
): readonly string[] {
  if (allowed !== undefined)
    return gone.length <= allowed
      ? []
      : [
          `expected at most ${allowed} deletions, found ${gone.length}; --allow-delete ${gone.length} allows them`,
        ];
  return [...new Set(gone.map(({ kind }) => kind))].flatMap((kind) => {
    const deleted = gone.filter((row) => row.kind === kind).length;
    const all = own.filter((row) => row.kind === kind).length;
    const what =
      deleted === all
        ? `every ${kind} of this source`
        : `more than a fifth of this source's ${kind}s`;
    return deleted * share <= all
      ? []
      : [
          `this would delete ${what} (${deleted} of ${all}); --allow-delete ${gone.length} allows it`,
        ];
  });
}
