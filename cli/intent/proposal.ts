/**
 * What `plan` and `apply` have in common: the catalog is read, compared with the rows that stand, and the control plane
 * is asked what it would mean, for every host. Nothing is sent unless every file is well formed.
 */
import { UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import type { Plan } from "#schema/api/commits.ts";
import type { Warning } from "#schema/api/common.ts";
import type { Change, ReleaseTime } from "#schema/intent.ts";
import { Key } from "#schema/primitives.ts";
import { readCatalogFiles } from "#cli/catalog/files.ts";
import { locate, readCatalog } from "#cli/catalog/index.ts";
import { type Finding, formatFinding, type Place } from "#cli/catalog/places.ts";
import type { CatalogRow } from "#cli/catalog/rows.ts";
import { type Client, Refusal, withRequest } from "#cli/http/client.ts";
import { Failures } from "#cli/text/output.ts";
import { readRows } from "#cli/http/pages.ts";
import { planChanges, type PlanOptions, type RowName } from "./plan.ts";

/** `path` is within the file where there is a place. */
export interface PlacedWarning extends Warning {
  readonly place: Place | null;
}

/** What is compared, and what the control plane is asked to put up with. */
interface ProposalOptions extends PlanOptions {
  /** Hosts that get their bundle although their guard refuses it. */
  readonly allowGuardRefusals: readonly string[];
}

export interface Proposal {
  readonly catalog: readonly CatalogRow[];
  readonly changes: readonly Change[];
  /** What the commit must say as the plan did. */
  readonly allowed: { readonly allow_guard_refusals?: string[] };
  readonly answer: Plan;
  /** What the control plane warns of; with a place where a file is its subject. */
  readonly warnings: readonly PlacedWarning[];
  /** Rows of the source that no file declares, and that stay. */
  readonly undeclared: readonly RowName[];
  readonly source: string;
}

export const catalogOptions = {
  file: value(
    "FILE",
    "a catalog file, a directory of *.yaml, *.yml and *.json, or - for stdin; may be repeated",
    {
      short: "f",
      many: true,
      required: true,
    },
  ),
  source: value(
    "NAME",
    "whose rows these are (default: catalog); rows of other sources are never deleted",
  ),
  prune: flag("delete rows of this source that no file declares"),
  "allow-delete": value(
    "N",
    "allow up to N deletions; needed to delete more than a fifth of this source's rows of a kind",
  ),
  "allow-guard-refusal": value(
    "HOST",
    "publish to this host although the guard it reported refuses the bundle; may be repeated",
    { many: true },
  ),
  adopt: flag("take over rows of other sources that differ"),
  json: flag("the result as JSON"),
} as const;

interface CatalogValues {
  readonly file: readonly string[];
  readonly source: string | undefined;
  readonly prune: boolean;
  readonly adopt: boolean;
  readonly "allow-delete": string | undefined;
  readonly "allow-guard-refusal": readonly string[];
}

/** @throws UsageError */
export function planOptions(values: CatalogValues): ProposalOptions {
  const source = values.source ?? "catalog";
  if (!Key.safeParse(source).success) throw new UsageError("--source is a name");
  const allow = values["allow-delete"];
  if (allow !== undefined && !/^\d{1,6}$/.test(allow))
    throw new UsageError("--allow-delete is a number of rows");
  const allowGuardRefusals = [...new Set(values["allow-guard-refusal"])];
  if (!allowGuardRefusals.every((host) => Key.safeParse(host).success))
    throw new UsageError("--allow-guard-refusal is a host's name");
  return {
    source,
    prune: values.prune,
    adopt: values.adopt,
    allowDelete: allow === undefined ? undefined : Number(allow),
    allowGuardRefusals,
  };
}

/** @throws UsageError; Failures with one line per finding, when a file is not well formed */
export function readCatalogOf(values: CatalogValues): readonly CatalogRow[] {
  const catalog = readCatalog(readCatalogFiles(values.file));
  if (!catalog.ok) throw makeFailures(catalog.findings);
  return catalog.rows;
}

const shownMax = 100;

function makeFailures(findings: readonly Finding[]): Failures {
  const more = findings.length - shownMax;
  const lines = findings.slice(0, shownMax).map(formatFinding);
  return new Failures(more > 0 ? [...lines, `and ${more} more`] : lines);
}

/** Asks what the catalog would change. @throws Failure, Refusal */
export async function propose(
  client: Client,
  catalog: readonly CatalogRow[],
  options: ProposalOptions,
  release: ReleaseTime = "now",
): Promise<Proposal> {
  const current = await readRows(client);
  const planned = planChanges(catalog, current.rows, options);
  if (!planned.ok) throw new Failures(planned.refusals);
  const { changes, undeclared } = planned;
  const { source, allowGuardRefusals } = options;
  const asked = { parent: current.revision, source, release, allowGuardRefusals };
  return { ...(await proposeChanges(client, catalog, changes, asked)), undeclared };
}

interface Asked {
  /** The head that the changes were made for. */
  readonly parent: number;
  readonly source: string;
  readonly release: ReleaseTime;
  readonly allowGuardRefusals: readonly string[];
}

/** Asks what changes would mean. @param catalog where they stand in files; empty where they come from none */
export async function proposeChanges(
  client: Client,
  catalog: readonly CatalogRow[],
  changes: readonly Change[],
  { parent, source, release, allowGuardRefusals }: Asked,
): Promise<Proposal> {
  const allowed =
    allowGuardRefusals.length === 0 ? {} : { allow_guard_refusals: [...allowGuardRefusals] };
  const body = { parent, source, release, ...allowed, changes: [...changes] };
  const answer = await callNamingFiles(catalog, changes, () =>
    client.call("POST /v1/plan", { body }),
  );
  const warnings = answer.warnings.map((warning): PlacedWarning => {
    const found = locate(catalog, changes, warning);
    if (found === undefined) return { ...warning, place: null };
    const { file, line, column } = found;
    return { ...warning, path: found.path, place: { file, line, column } };
  });
  return { catalog, changes, allowed, answer, warnings, undeclared: [], source };
}

/** A proposal as `--json` prints it: the control plane's answer, and what the files add to it. */
export const describeProposal = ({ answer, source, warnings, undeclared }: Proposal) => ({
  ...answer,
  source,
  warnings,
  undeclared,
  notes: undeclared.map(({ kind, key }) => `${kind} ${key} is in no file; --prune deletes it`),
});

/** Runs a request, and says a refusal in terms of the files. @throws Failures, Refusal */
export async function callNamingFiles<T>(
  catalog: readonly CatalogRow[],
  changes: readonly Change[],
  request: () => Promise<T>,
): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.code === "stale_parent")
      throw new Failures([
        `somebody else committed meanwhile; plan again${withRequest(error.requestId)}`,
      ]);
    if (error.errors.length === 0) throw error;
    const lines = error.errors.map((found) => {
      const located = locate(catalog, changes, found);
      return located === undefined
        ? `${formatPath(changes, found.path)}: ${found.message}`
        : formatFinding(located);
    });
    throw new Failures([
      ...lines,
      ...guardAdvice(error.errors),
      `nothing was written${withRequest(error.requestId)}`,
    ]);
  }
}

/** The option that publishes all the same: whoever knows the host may know that its guard has changed. */
function guardAdvice(errors: Refusal["errors"]): readonly string[] {
  const hosts = [...new Set(errors.flatMap((found) => found.hosts ?? []))];
  if (hosts.length === 0) return [];
  const options = hosts.map((host) => `--allow-guard-refusal ${host}`).join(" ");
  return [`change the rows or the guards, or publish all the same: ${options}`];
}

/** A path into the request means nothing to a reader: the row's name does. */
function formatPath(changes: readonly Change[], path: string): string {
  const change = changes[Number(/^\/changes\/(\d+)/.exec(path)?.[1] ?? -1)];
  return change === undefined ? path : `${change.op} ${change.kind} ${change.key}`;
}
