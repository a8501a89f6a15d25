/**
 * What a host is served, by its release level: head without what is withheld from it, and, where a revision is
 * narrowed, the meet of that with head that has it. The commit, the plan and every step of a rollout ask here (law 5).
 * Each distinct level is prepared once, however many hosts share it.
 */
import { type Prepared, prepare } from "#core/compile/index.ts";
import { meet } from "#core/compile/meet.ts";
import type { BundleCustom } from "#schema/bundle.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import type { Snapshot } from "#schema/intent.ts";
import { emptyRuleset, type Ruleset } from "#schema/ruleset.ts";
import { type Intent, type Row, snapshotOf } from "#worker/intent/index.ts";
import type { Level } from "./level-rows.ts";
import { removeRevisions } from "./without.ts";

/** A host that is not declared is told to close. */
export interface Content {
  readonly mode: BundleCustom["mode"];
  readonly ruleset: Ruleset;
}

/** Intent as hosts of one level see it: all that is withheld left out, and only what is not even narrowed left out. */
export interface Bases {
  readonly low: Snapshot;
  /** The same as `low` where nothing is narrowed. */
  readonly high: Snapshot;
}

export type Served =
  | {
      readonly ok: true;
      readonly content: (host: string) => Content;
      readonly warnings: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

type Written = Pick<Row, "kind" | "key" | "body">;

/** @param amend what is to become of the rows of each base, such as a commit's changes */
export function basesOf(
  intent: Intent,
  versions: readonly Row[],
  level: Level,
  amend: (rows: readonly Written[]) => readonly Written[] = (rows) => rows,
): Bases {
  const base = (revisions: readonly number[]): Snapshot =>
    snapshotOf(intent.revision, amend(removeRevisions(intent, versions, revisions)));
  const low = base(level.withheld);
  if (level.narrowed.length === 0) return { low, high: low };
  return {
    low,
    high: base(level.withheld.filter((revision) => !level.narrowed.includes(revision))),
  };
}

/** Compiles what hosts of a level are served. */
export function servedOf({ low, high }: Bases): Served {
  const lower = prepare(low);
  if (!lower.ok) return lower;
  const upper = high === low ? lower : prepare(high);
  if (!upper.ok) return upper;
  const makeContent = (host: string): Content => {
    if (!low.hosts.has(host) || !high.hosts.has(host))
      return { mode: "closed", ruleset: emptyRuleset };
    return { mode: "enforce", ruleset: met(lower, upper, host) };
  };
  return { ok: true, content: makeContent, warnings: lower.warnings };
}

type Ready = Extract<Prepared, { readonly ok: true }>;

const met = (lower: Ready, upper: Ready, host: string): Ruleset =>
  lower === upper ? lower.ruleset(host) : meet(lower.ruleset(host), upper.ruleset(host));
