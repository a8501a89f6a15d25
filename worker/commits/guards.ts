/**
 * What the guards of hosts say to the bundles that a commit leads to, asked by the agent's own function (law 5). A
 * bundle that a host would refuse refuses the commit and names row, host and line of the guard (law 1): published, it
 * would leave that host where it is, and nobody told.
 *
 * Only warned of are a host that the commit names as allowed, because a guard changes where it stands and a report may
 * be old, and one whose guard refuses what it is served already: no commit could mend another row there.
 */
import type { BundleCustom } from "#schema/bundle.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import { compareText } from "#schema/order.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { type GuardRefusal, guardRefusals } from "#core/simulate/admission.ts";
import { exposureOf } from "#core/simulate/exposure.ts";
import type { Sql } from "#worker/ports/index.ts";
import { readGuards } from "#worker/hosts/index.ts";
import type { Compiler } from "./compiler.ts";
import { formatNames } from "./plan.ts";

/** Guards in memory together; one is 64 KiB at most. */
const atOnce = 200;

/** What a commit makes of a host. */
interface Projection {
  readonly host: string;
  readonly mode: BundleCustom["mode"];
  readonly ruleset: Ruleset;
}

interface Found {
  readonly host: string;
  readonly refusal: GuardRefusal;
  readonly novelty: "new" | "allowed" | "before";
}

/** @param served what hosts were published before @param allowed hosts whose guard may refuse */
export async function guardFindings(
  sql: Sql,
  hosts: readonly Projection[],
  served: Compiler,
  allowed: ReadonlySet<string>,
): Promise<readonly Diagnostic[]> {
  const found: Found[] = [];
  for (let start = 0; start < hosts.length; start += atOnce) {
    const some = hosts.slice(start, start + atOnce).filter(({ mode }) => mode === "enforce");
    const guards = await readGuards(
      sql,
      some.map(({ host }) => host),
    );
    for (const { host, ruleset } of some) {
      const guard = guards.get(host);
      const refusals = guard === undefined ? [] : guardRefusals(ruleset, guard);
      const now = refusals.length === 0 ? undefined : served(host);
      const before = guard === undefined || now === undefined ? [] : guardRefusals(now, guard);
      const open = now === undefined ? new Set<string>() : findRowsOpenToAll(now);
      for (const refusal of refusals)
        found.push({
          host,
          refusal: { ...refusal, rows: findRowsToBlame(refusal.rows, open) },
          novelty: isKnown(refusal, before) ? "before" : allowed.has(host) ? "allowed" : "new",
        });
    }
  }
  return groupByRow(found);
}

function findRowsOpenToAll(ruleset: Ruleset): ReadonlySet<string> {
  const { open, rowsOf } = exposureOf(ruleset);
  return new Set(rowsOf(open));
}

/** Rows that are new among those that open to everybody; all of them where none is, as after the guard changed. */
function findRowsToBlame(rows: readonly string[], before: ReadonlySet<string>): readonly string[] {
  const fresh = rows.filter((row) => !before.has(row));
  return fresh.length === 0 ? rows : fresh;
}

/** Whether the guard refuses as much of what the host is served now. */
const isKnown = ({ line, things }: GuardRefusal, before: readonly GuardRefusal[]): boolean =>
  before.some(
    (other) => other.line === line && things.every((thing) => other.things.includes(thing)),
  );

const because = {
  new: "",
  allowed: "; published all the same, as allowed",
  before: "; as it refuses what the host is served now",
} as const;

/** One finding for each row and reason, however many hosts share it; errors first, then by row. */
function groupByRow(found: readonly Found[]): readonly Diagnostic[] {
  const each = found.flatMap((one) => {
    const rows = one.refusal.rows.length === 0 ? [`hosts/${one.host}`] : one.refusal.rows;
    return rows.map((row) => ({ ...one, row }));
  });
  const alike = Map.groupBy(each, ({ row, refusal, novelty }) =>
    JSON.stringify([row, refusal.message, novelty]),
  );
  const findings = [...alike.values()].flatMap((group): readonly Diagnostic[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { row, refusal, novelty } = first;
    const who = formatNames(group.map(({ host }) => host));
    const message = `the guard of ${who} (${refusal.line}) refuses row ${row}: ${refusal.message}${because[novelty]}`;
    const [path] = row.split("#");
    return [
      {
        severity: novelty === "new" ? "error" : "warning",
        code: "guard_refused",
        path: `/${path}`,
        message,
        hosts: [...new Set(group.map(({ host }) => host))].sort(compareText),
      },
    ];
  });
  return findings.toSorted(
    (a, b) => compareText(a.severity, b.severity) || compareText(a.path, b.path),
  );
}
