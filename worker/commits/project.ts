/**
 * What changes would mean, down to each host's bundle. The plan that people read and the commit that is written both
 * come from here (law 5). Reads, and writes nothing, not even a blob.
 *
 * Only hosts whose inputs changed are compiled, each as its release level has it. A deleted host gets one last bundle,
 * signed with mode `closed`: absence alone changes nothing on a host, so it is told to close.
 */
import { findAffectedHosts } from "#core/compile/index.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import type { Commit, ReleaseTime, Snapshot } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Sql } from "#worker/ports/index.ts";
import { BundleTooLarge } from "#worker/signing/index.ts";
import {
  type Bases,
  basesOf,
  findChanged,
  type ChangingHost,
  type Level,
  readReleases,
  readVersions,
  nothingWithheld,
  type Releases,
  type Served,
  servedOf,
} from "#worker/served/index.ts";
import type { Intent, Row } from "#worker/intent/index.ts";
import { expiredGrants } from "./expired.ts";
import { blame } from "./blame.ts";
import { type Compiler, compilerOf } from "./compiler.ts";
import { guardFindings } from "./guards.ts";
import { type Plan, plan, rowName } from "./plan.ts";

/**
 * A host that does not get the revision now. `staged`: as asked. `pinned`: a person keeps it where it is. `waiting`:
 * without what is withheld from it already, the new rows do not compile; `because` says why.
 */
export interface HeldHost {
  readonly host: string;
  readonly as: "staged" | "pinned" | "waiting";
  readonly because: string;
  /** What it would be given with the revision; undefined where that depends on what else is withheld from it. */
  readonly changing: ChangingHost | undefined;
}

export type Projected =
  | {
      readonly ok: true;
      readonly plan: Plan;
      /** What hosts are served by intent as it is now. */
      readonly compiled: Compiler;
      /** Hosts that are published for, by host. */
      readonly hosts: readonly ChangingHost[];
      /** Hosts that the revision is withheld from, by host. */
      readonly held: readonly HeldHost[];
      readonly warnings: readonly Diagnostic[];
    }
  | {
      readonly ok: false;
      readonly code: "invalid_intent" | "conflict";
      readonly diagnostics: readonly Diagnostic[];
    };

type Request = Pick<Commit, "allow_guard_refusals" | "release" | "changes">;

/** @param now milliseconds since the Unix epoch: what is past by it is warned of */
export async function project(
  sql: Sql,
  intent: Intent,
  request: Request,
  now: number,
): Promise<Projected> {
  const { allow_guard_refusals = [], changes, release } = request;
  const planned = plan(intent, changes);
  if (!planned.ok) return planned;
  const invalid = (diagnostics: readonly Diagnostic[]): Projected => ({
    ok: false,
    code: "invalid_intent",
    diagnostics: diagnostics.map((diagnostic) => blame(diagnostic, changes)),
  });
  const steps = stepsOf(intent, [], nothingWithheld, planned.plan);
  const atHead = compilerOf(steps.before.low);
  const { closed, opened } = planned.plan;
  if (closed.length + opened.length === 0)
    return { ok: true, plan: planned.plan, compiled: atHead, hosts: [], held: [], warnings: [] };
  const head = servedOf(steps.after);
  if (!head.ok) return invalid(head.diagnostics);
  try {
    const releases = await readReleases(sql);
    const touched = findAffected(steps, planned.plan);
    const open = [...touched].filter((host) => !releases.levels.has(host));
    const changing = await findChanged(sql, open, head.content);
    const sorted = sortOut(changing, releases, release);
    const behind = await projectBehind(sql, intent, planned.plan, { releases, release, touched });
    const hosts = [...sorted.hosts, ...behind.hosts].sort(byHost);
    const held = [...sorted.held, ...behind.held].sort(byHost);
    const compileAll: Compiler = (host) => (behind.before.get(host) ?? atHead)(host);
    const given = [...hosts, ...held.flatMap(({ changing: later }) => later ?? [])];
    const found = await guardFindings(sql, given, compileAll, new Set(allow_guard_refusals));
    const diagnostics = [...found, ...head.warnings];
    if (diagnostics.some(({ severity }) => severity === "error")) return invalid(diagnostics);
    const warnings = [
      ...diagnostics.map((warning) => blame(warning, changes)),
      ...expiredGrants(changes, now),
    ];
    return { ok: true, plan: planned.plan, compiled: compileAll, hosts, held, warnings };
  } catch (error) {
    if (error instanceof BundleTooLarge) return invalid([error.diagnostic]);
    throw error;
  }
}

export const byHost = (a: { readonly host: string }, b: { readonly host: string }) =>
  compareText(a.host, b.host);

/** The bases of a level before and after the changes. */
interface Steps {
  readonly before: Bases;
  readonly after: Bases;
}

function stepsOf(
  intent: Intent,
  versions: readonly Row[],
  level: Level,
  { closed, opened }: Plan,
): Steps {
  const gone = new Set([...closed, ...opened].map(({ kind, key }) => rowName(kind, key)));
  const next = { ...intent, revision: intent.revision + 1 };
  return {
    before: basesOf(intent, versions, level),
    after: basesOf(next, versions, level, (rows) => [
      ...rows.filter(({ kind, key }) => !gone.has(rowName(kind, key))),
      ...opened,
    ]),
  };
}

/** Hosts whose content the changes may touch, those that go among them. */
function findAffected({ before, after }: Steps, { closed, opened }: Plan): ReadonlySet<string> {
  const between = (a: Snapshot, b: Snapshot): readonly string[] => [
    ...findAffectedHosts(a, b, [...closed, ...opened]),
    ...[...a.hosts.keys()].filter((host) => !b.hosts.has(host)),
  ];
  const low = between(before.low, after.low);
  return new Set(before.low === before.high ? low : [...low, ...between(before.high, after.high)]);
}

type Sorted = Pick<Extract<Projected, { readonly ok: true }>, "hosts" | "held">;

interface Behind extends Sorted {
  /** What hosts with something withheld are served by intent as it is now. */
  readonly before: ReadonlyMap<string, Compiler>;
}

interface Release {
  readonly releases: Releases;
  readonly release: ReleaseTime;
  /** Hosts that the changes touch at head. */
  readonly touched: ReadonlySet<string>;
}

/**
 * Hosts that something is withheld from. What they are given is compiled on their own base. A revision that is not
 * released to them now is withheld whether or not it changes their bytes today: together with the rest it may.
 */
async function projectBehind(
  sql: Sql,
  intent: Intent,
  made: Plan,
  { releases, release, touched }: Release,
): Promise<Behind> {
  const levels = Map.groupBy(
    releases.levels.keys(),
    (host) => releases.levels.get(host) ?? nothingWithheld,
  );
  const revisions = new Set([...levels.keys()].flatMap(({ withheld }) => withheld));
  const versions = await readVersions(sql, [...revisions]);
  const hosts: ChangingHost[] = [];
  const held: HeldHost[] = [];
  const before = new Map<string, Compiler>();
  for (const [level, group] of levels) {
    const steps = stepsOf(intent, versions, level, made);
    const compiler = servedBy(steps.before);
    for (const host of group) before.set(host, compiler);
    const served = servedOf(steps.after);
    if (!served.ok) {
      const because =
        served.diagnostics.find(({ severity }) => severity === "error")?.message ?? "";
      held.push(
        ...group.map((host): HeldHost => ({ host, as: "waiting", because, changing: undefined })),
      );
      continue;
    }
    const own = findAffected(steps, made);
    const now = group.filter(
      (host) => own.has(host) && heldAs(host, releases, release) === undefined,
    );
    hosts.push(...(await findChanged(sql, now, served.content)));
    for (const host of group) {
      const as = heldAs(host, releases, release);
      if (as !== undefined && (own.has(host) || touched.has(host)))
        held.push({ host, as, because: "", changing: undefined });
    }
  }
  return { hosts, held, before };
}

/** As `compilerOf`, for hosts of a level. */
function servedBy(bases: Bases): Compiler {
  let served: Served | undefined;
  return (host) => {
    served ??= servedOf(bases);
    const content = served.ok ? served.content(host) : undefined;
    return content?.mode === "enforce" ? content.ruleset : undefined;
  };
}

const heldAs = (
  host: string,
  { pinned }: Releases,
  release: ReleaseTime,
): "pinned" | "staged" | undefined =>
  pinned.has(host) ? "pinned" : release === "staged" ? "staged" : undefined;

function sortOut(
  changing: readonly ChangingHost[],
  releases: Releases,
  release: ReleaseTime,
): Sorted {
  const as = Map.groupBy(changing, ({ host }) => heldAs(host, releases, release));
  const held = (["pinned", "staged"] as const).flatMap((why) =>
    (as.get(why) ?? []).map((one): HeldHost => ({
      host: one.host,
      as: why,
      because: "",
      changing: one,
    })),
  );
  return { hosts: as.get(undefined) ?? [], held };
}
