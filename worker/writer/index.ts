/**
 * The one writer: the only way a row of intent is written. A commit is compiled and signed for every host it changes
 * before anything is written, and then written in one batch with its audit row, or not at all.
 */
import { affectedHosts, compileHosts } from "#compile/index.ts";
import type { Diagnostic } from "#schema/errors.ts";
import type { Commit, Kind } from "#schema/intent.ts";
import type { Ports } from "../ports.ts";
import { BundleTooLarge } from "../publish/index.ts";
import { type Attempt, audited } from "../store/audit.ts";
import { commitStatements } from "../store/commit.ts";
import { type Intent, readIntent, snapshotOf } from "../store/intent.ts";
import { blame } from "./blame.ts";
import { type ChangedRow, type Plan, plan } from "./plan.ts";
import { type Publications, publish } from "./publish.ts";

export interface ChangedHost {
  readonly host: string;
  readonly seq: number;
  readonly bundle_sha256: string;
}

export type CommitResult =
  /** `changed: false`: intent already said all of it, `revision` is head. `rows` are in the order of the changes. */
  | {
      readonly ok: true;
      readonly changed: boolean;
      readonly revision: number;
      readonly rows: readonly ChangedRow[];
      readonly hosts: readonly ChangedHost[];
      readonly warnings: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly code: "stale_parent"; readonly head: number }
  | { readonly ok: false; readonly code: "precondition_failed" }
  | {
      readonly ok: false;
      readonly code: "invalid_intent" | "conflict";
      readonly diagnostics: readonly Diagnostic[];
    };

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
export function commit(
  ports: Ports,
  author: string,
  request: Commit,
  precondition?: Precondition,
): Promise<CommitResult> {
  return audited(ports.sql, async () => {
    const intent = await readIntent(ports.sql);
    if (intent === undefined) throw new Error("head is always readable");
    if (request.parent !== undefined && request.parent !== intent.revision)
      return refused({ ok: false, code: "stale_parent", head: intent.revision });
    if (precondition !== undefined && !holds(intent, precondition))
      return refused({ ok: false, code: "precondition_failed" });
    const planned = plan(intent, request.changes);
    if (!planned.ok) return refused(planned);
    const { closed, opened, rows } = planned.plan;
    if (closed.length + opened.length === 0)
      return refused({ ok: true, changed: false, revision: intent.revision, rows, hosts: [], warnings: [] });
    return project(ports, author, request, intent, planned.plan);
  });
}

const refused = (result: CommitResult): Attempt<CommitResult> => ({ write: false, result });

function holds({ rows }: Intent, { kind, key, expects }: Precondition): boolean {
  const row = rows.find((candidate) => candidate.kind === kind && candidate.key === key);
  if (expects === "absent") return row === undefined;
  return row !== undefined && (expects === "any" || expects.includes(row.from_revision));
}

/** Compiles and signs what the plan leads to for the hosts it can concern, and says what is to be written. */
async function project(
  ports: Ports,
  author: string,
  request: Commit,
  intent: Intent,
  { closed, opened, next, rows }: Plan,
): Promise<Attempt<CommitResult>> {
  const parent = intent.revision;
  const n = parent + 1;
  const [before, after] = [snapshotOf(parent, intent.rows), snapshotOf(n, next)];
  const compiled = compileHosts(after, affectedHosts(before, after, [...closed, ...opened]));
  const invalid = (diagnostics: readonly Diagnostic[]): Attempt<CommitResult> =>
    refused({
      ok: false,
      code: "invalid_intent",
      diagnostics: diagnostics.map((diagnostic) => blame(diagnostic, request.changes)),
    });
  if (!compiled.ok) return invalid(compiled.diagnostics);
  const publications = await publishOrDiagnose(ports, n, compiled.rulesets);
  if ("diagnostic" in publications) return invalid([publications.diagnostic]);
  const { added, updated } = publications;
  const hosts = [...updated, ...added].map(({ host, seq, bundle_sha256 }) => ({ host, seq, bundle_sha256 }));
  const at = ports.clock.now();
  const on_behalf_of = request.on_behalf_of ?? null;
  const { message, source } = request;
  const revision = { n, parent, at, author, on_behalf_of, source, message };
  const warnings = compiled.warnings.map((warning) => blame(warning, request.changes));
  return {
    write: true,
    statements: commitStatements(ports.sql, { revision, closed, opened, added, updated }),
    entry: {
      at,
      actor: author,
      on_behalf_of,
      action: "commit",
      revision: n,
      body: auditBody(request, hosts),
    },
    result: { ok: true, changed: true, revision: n, rows, hosts, warnings },
  };
}

/** What the audit says of a commit; the rows themselves are in intent, under its revision. */
const auditBody = (request: Commit, hosts: readonly ChangedHost[]) => ({
  source: request.source,
  message: request.message,
  changes: request.changes.map(({ op, kind, key }) => `${op} ${kind} ${key}`),
  hosts: hosts.map(({ host, seq }) => `${host} ${seq}`),
});

async function publishOrDiagnose(
  ports: Ports,
  revision: number,
  rulesets: Parameters<typeof publish>[2],
): Promise<Publications | { readonly diagnostic: Diagnostic }> {
  try {
    return await publish(ports, revision, rulesets);
  } catch (error) {
    if (error instanceof BundleTooLarge) return { diagnostic: error.diagnostic };
    throw error;
  }
}
