/**
 * The one writer: the only way a row of intent is written. A commit is compiled and signed for every host it changes
 * before anything is written, and then written in one batch with its audit row, or not at all.
 */
import type { Diagnostic } from "#schema/refusals.ts";
import type { Commit, Kind } from "#schema/intent.ts";
import type { Ports } from "#worker/ports/index.ts";
import { type Attempt, writeAudited, type Author, nameOf } from "#worker/db/audit.ts";
import { commitStatements, publish } from "#worker/served/index.ts";
import { digestRows, type Intent, readHead } from "#worker/intent/index.ts";
import { type AnsweredBefore, attemptOnce, type Once } from "./once.ts";
import type { ChangedRow } from "./plan.ts";
import { type HeldHost, type Projected, project } from "./project.ts";

export interface ChangedHost {
  readonly host: string;
  /** Where operators sign targets: the seq that waits for them. */
  readonly seq: number;
  readonly bundle_sha256: string;
}

/** `changed: false`: intent already said all of it, `revision` is head. `rows` are in the order of the changes. */
export interface MadeCommit {
  readonly ok: true;
  readonly changed: boolean;
  readonly revision: number;
  readonly rows: readonly ChangedRow[];
  readonly hosts: readonly ChangedHost[];
  /** Hosts that it is withheld from, and why. */
  readonly held: readonly HeldHost[];
  readonly warnings: readonly Diagnostic[];
}

/** Nothing was written. */
export type RefusedCommit =
  | { readonly ok: false; readonly code: "stale_parent"; readonly head: number }
  | { readonly ok: false; readonly code: "precondition_failed" | "release_staged" }
  | {
      readonly ok: false;
      readonly code: "invalid_intent" | "conflict";
      readonly diagnostics: readonly Diagnostic[];
    };

export type CommitResult = MadeCommit | RefusedCommit;

/** What one row must be for the commit to go on, as it stands when the commit is written. */
export interface Precondition {
  readonly kind: Kind;
  readonly key: string;
  /** `any`: the row exists; a list: its version is one of these `from_revision`s. */
  readonly expects: "absent" | "any" | readonly number[];
}

/**
 * Commits, trying again on the new head when another writer was first, unless the commit names its parent.
 * @throws Refused `busy` when others were first every time
 */
export const commit = (
  ports: Ports,
  author: Author,
  request: Commit,
  precondition?: Precondition,
): Promise<CommitResult> =>
  writeAudited(ports.sql, () => attempt(ports, author, request, precondition));

/**
 * The same, once for each key: asked again, it gives the answer it gave at first.
 * @throws Refused `busy`; `conflict` when the key was used for another request
 */
export const commitOnce = (
  ports: Ports,
  author: Author,
  request: Commit,
  once: Once<MadeCommit>,
): Promise<CommitResult | AnsweredBefore> =>
  writeAudited(ports.sql, () =>
    attemptOnce<CommitResult>(ports, once, () => attempt(ports, author, request)),
  );

async function attempt(
  ports: Ports,
  author: Author,
  request: Commit,
  precondition?: Precondition,
): Promise<Attempt<CommitResult>> {
  const intent = await readHead(ports.sql);
  if (request.parent !== undefined && request.parent !== intent.revision)
    return unwritten({ ok: false, code: "stale_parent", head: intent.revision });
  if (precondition !== undefined && !holds(intent, precondition))
    return unwritten({ ok: false, code: "precondition_failed" });
  const projected = await project(ports.sql, intent, request, ports.clock.now());
  if (!projected.ok) return unwritten(projected);
  const { closed, opened, rows } = projected.plan;
  if (closed.length + opened.length === 0)
    return unwritten({
      ok: true,
      changed: false,
      revision: intent.revision,
      rows,
      hosts: [],
      held: [],
      warnings: [],
    });
  if (mustBeStaged(ports, request, projected))
    return unwritten({ ok: false, code: "release_staged" });
  return writeCommit(ports, author, request, intent.revision, projected);
}

/** Where releases are staged, only members change hosts at once: a hook cannot wait for a rollout. */
function mustBeStaged(
  { settings }: Ports,
  { release, changes }: Commit,
  { hosts, held }: Extract<Projected, { ok: true }>,
): boolean {
  if (settings.release === "open" || release === "staged") return false;
  return changes.some(({ kind }) => kind !== "member") && hosts.length + held.length > 0;
}

/** Refused, or nothing to do: either way nothing is written. */
const unwritten = (result: CommitResult): Attempt<CommitResult> => ({ write: false, result });

function holds({ rows }: Intent, { kind, key, expects }: Precondition): boolean {
  const row = rows.find((candidate) => candidate.kind === kind && candidate.key === key);
  if (expects === "absent") return row === undefined;
  return row !== undefined && (expects === "any" || expects.includes(row.from_revision));
}

/** Signs what the commit leads to, and says what is to be written. */
async function writeCommit(
  ports: Ports,
  author: Author,
  request: Commit,
  parent: number,
  {
    plan: { closed, opened, rows },
    hosts: changing,
    held,
    warnings,
  }: Extract<Projected, { ok: true }>,
): Promise<Extract<Attempt<MadeCommit>, { write: true }>> {
  const n = parent + 1;
  const published = await publish(ports, n, changing);
  const { added, updated, pending } = published;
  const hosts = [...updated, ...added, ...pending].map(({ host, seq, bundle_sha256 }) => ({
    host,
    seq,
    bundle_sha256,
  }));
  const at = ports.clock.now();
  const on_behalf_of = request.on_behalf_of ?? null;
  const { message, source } = request;
  const revision = { n, parent, at, author: nameOf(author), on_behalf_of, source, message };
  return {
    write: true,
    statements: commitStatements(ports.sql, { revision, closed, opened, held, published }),
    entry: {
      at,
      actor: author,
      on_behalf_of,
      action: "commit",
      revision: n,
      body: {
        ...auditBody(request, hosts, held),
        rows_sha256: await digestRows({ closed, opened }),
      },
    },
    result: { ok: true, changed: true, revision: n, rows, hosts, held, warnings },
  };
}

/** What the audit says of a commit; the rows themselves are in intent, under its revision. */
const auditBody = (request: Commit, hosts: readonly ChangedHost[], held: readonly HeldHost[]) => ({
  source: request.source,
  message: request.message,
  ...(request.allow_guard_refusals === undefined
    ? {}
    : { allow_guard_refusals: request.allow_guard_refusals }),
  changes: request.changes.map(({ op, kind, key }) => `${op} ${kind} ${key}`),
  hosts: hosts.map(({ host, seq }) => `${host} ${seq}`),
  ...(held.length === 0 ? {} : { withheld: held.map(({ host, as }) => `${host} ${as}`) }),
});
