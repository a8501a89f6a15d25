/**
 * What changes would mean, down to each host's bundle. The plan that people read and the commit that is written both
 * come from here (law 5). Reads, and writes nothing, not even a blob.
 *
 * Only hosts whose inputs changed are compiled. A deleted host gets one last bundle, signed with mode `closed`: absence
 * alone changes nothing on a host, so it is told to close.
 */
import { affectedHosts, prepare } from "#compile/index.ts";
import type { BundleCustom } from "#schema/bundle.ts";
import type { Diagnostic } from "#schema/errors.ts";
import type { Commit, Snapshot } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import { emptyRuleset, type Ruleset } from "#schema/ruleset.ts";
import type { Sql } from "../ports.ts";
import { bundleOf, BundleTooLarge } from "../publish/index.ts";
import { servedBundles } from "../store/commit.ts";
import { type Intent, snapshotOf } from "../store/intent.ts";
import { blame } from "./blame.ts";
import { type Compiler, compilerOf } from "./compiler.ts";
import { guardFindings } from "./guards.ts";
import { type Plan, plan } from "./plan.ts";

/** A host whose bundle changes. */
export interface ChangingHost {
  readonly host: string;
  readonly mode: BundleCustom["mode"];
  readonly ruleset: Ruleset;
  readonly bundle_sha256: string;
  /** Digest of the bundle that it is served now; undefined for a first one. */
  readonly served: string | undefined;
}

export type Projected =
  | {
      readonly ok: true;
      readonly plan: Plan;
      /** Intent as it is now, compiled. */
      readonly compiled: Compiler;
      /** By host. */
      readonly hosts: readonly ChangingHost[];
      readonly warnings: readonly Diagnostic[];
    }
  | {
      readonly ok: false;
      readonly code: "invalid_intent" | "conflict";
      readonly diagnostics: readonly Diagnostic[];
    };

type Request = Pick<Commit, "allow_guard_refusals" | "changes">;

export async function project(sql: Sql, intent: Intent, request: Request): Promise<Projected> {
  const { changes, allow_guard_refusals = [] } = request;
  const planned = plan(intent, changes);
  if (!planned.ok) return planned;
  const invalid = (diagnostics: readonly Diagnostic[]): Projected => ({
    ok: false,
    code: "invalid_intent",
    diagnostics: diagnostics.map((diagnostic) => blame(diagnostic, changes)),
  });
  const before = snapshotOf(intent.revision, intent.rows);
  const compiled = compilerOf(before);
  const { closed, opened, next } = planned.plan;
  if (closed.length + opened.length === 0)
    return { ok: true, plan: planned.plan, compiled, hosts: [], warnings: [] };
  const after = snapshotOf(intent.revision + 1, next);
  const prepared = prepare(after);
  if (!prepared.ok) return invalid(prepared.diagnostics);
  try {
    const wanted = [
      ...enforced(affectedHosts(before, after, [...closed, ...opened]), prepared.ruleset),
      ...removed(before, after),
    ];
    const hosts = await changing(sql, before, wanted);
    const found = await guardFindings(sql, hosts, compiled, new Set(allow_guard_refusals));
    const diagnostics = [...found, ...prepared.warnings];
    if (diagnostics.some(({ severity }) => severity === "error")) return invalid(diagnostics);
    const warnings = diagnostics.map((warning) => blame(warning, changes));
    return { ok: true, plan: planned.plan, compiled, hosts, warnings };
  } catch (error) {
    if (error instanceof BundleTooLarge) return invalid([error.diagnostic]);
    throw error;
  }
}

type Wanted = Pick<ChangingHost, "host" | "mode" | "ruleset">;

const enforced = (hosts: ReadonlySet<string>, ruleset: (host: string) => Ruleset): readonly Wanted[] =>
  [...hosts].map((host) => ({ host, mode: "enforce", ruleset: ruleset(host) }));

const removed = (before: Snapshot, after: Snapshot): readonly Wanted[] =>
  [...before.hosts.keys()]
    .filter((host) => !after.hosts.has(host))
    .map((host) => ({ host, mode: "closed", ruleset: emptyRuleset }));

/** Those whose bundle is not the one they are served. A host that comes or goes changes its mode, whatever its bytes. */
async function changing(
  sql: Sql,
  before: Snapshot,
  wanted: readonly Wanted[],
): Promise<readonly ChangingHost[]> {
  const served = await servedBundles(
    sql,
    wanted.map(({ host }) => host),
  );
  const hosts: ChangingHost[] = [];
  for (const one of wanted.toSorted((a, b) => compareText(a.host, b.host))) {
    const { sha256 } = await bundleOf(one.host, one.ruleset);
    const now = served.get(one.host);
    const stays = before.hosts.has(one.host) && one.mode === "enforce";
    if (now !== sha256 || !stays) hosts.push({ ...one, bundle_sha256: sha256, served: now });
  }
  return hosts;
}
