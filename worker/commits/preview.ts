/**
 * What a commit would do, by the function that the commit itself uses, and nothing written. Each host is compared with
 * what it is served now: the bundle that was published, not an opinion of it.
 */
import { decodeBundle } from "#schema/bundle.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import * as z from "zod";
import type { Change, Commit } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import { emptyRuleset, type Ruleset } from "#schema/ruleset.ts";
import { type Difference, compareRulesets, elementCount } from "#core/simulate/difference.ts";
import { nothingOpens, type Opens, opensBetween } from "#core/simulate/opens.ts";
import type { Ports } from "#worker/ports/index.ts";
import { bundleOf } from "#worker/signing/index.ts";
import { readHead, type Row } from "#worker/intent/index.ts";
import { type ChangingHost, readReleases, type Releases } from "#worker/served/index.ts";
import type { RefusedCommit } from "./commit.ts";
import type { RowDifference } from "./plan.ts";
import type { Compiler } from "./compiler.ts";
import { byHost, type HeldHost, project } from "./project.ts";

type PreviewRequest = Pick<Commit, "parent" | "allow_guard_refusals" | "release" | "changes">;

export interface BundleSize {
  readonly bundle_sha256: string;
  readonly rules: number;
  readonly elements: number;
}

/** `before` is null for a host that was served nothing yet, `after` for one that goes: it closes, and opens nothing. */
export interface HostPreview extends Difference, Opens {
  readonly host: string;
  readonly before: BundleSize | null;
  readonly after: BundleSize | null;
}

/** Hosts that lack the same revisions of intent as it is now. */
export interface Behind {
  readonly revisions: readonly number[];
  readonly hosts: readonly string[];
}

export type Preview =
  | {
      readonly ok: true;
      /** The head that it was planned on. */
      readonly revision: number;
      /** Rows that change, in the order of the changes. */
      readonly changes: readonly RowDifference[];
      /** Hosts whose bundle changes, by name. */
      readonly hosts: readonly HostPreview[];
      /** Hosts that it would be withheld from, and why; those whose change is known stand in `hosts` too. */
      readonly held: readonly HeldHost[];
      readonly behind: readonly Behind[];
      /** Whose an address is, by intent before the changes or after. */
      readonly ownerOf: (address: string) => string | undefined;
      readonly warnings: readonly Diagnostic[];
    }
  | RefusedCommit;

export async function previewCommit(ports: Ports, request: PreviewRequest): Promise<Preview> {
  const { parent } = request;
  const intent = await readHead(ports.sql);
  const { revision } = intent;
  if (parent !== undefined && parent !== revision)
    return { ok: false, code: "stale_parent", head: revision };
  const projected = await project(ports.sql, intent, request, ports.clock.now());
  if (!projected.ok) return projected;
  const { held, warnings, plan, compiled } = projected;
  const hosts = [...projected.hosts, ...held.flatMap(({ changing }) => changing ?? [])].sort(
    byHost,
  );
  const previews: HostPreview[] = [];
  for (const host of hosts) previews.push(await previewHost(ports, compiled, host));
  const behind = behindOf(await readReleases(ports.sql));
  const ownerOf = makeOwnerLookup(intent.rows, request.changes);
  return {
    ok: true,
    revision,
    changes: plan.differences,
    hosts: previews,
    held,
    behind,
    ownerOf,
    warnings,
  };
}

/** Hosts of one level share one value. */
const behindOf = ({ levels }: Releases): readonly Behind[] =>
  [...Map.groupBy(levels, ([, level]) => level)].map(([{ withheld }, hosts]) => ({
    revisions: withheld,
    hosts: hosts.map(([host]) => host).sort(compareText),
  }));

const Addressed = z.object({ addresses: z.array(z.string()).optional() });

/** Hosts and members own addresses; what a change says goes before what was. */
function makeOwnerLookup(
  rows: readonly Row[],
  changes: readonly Change[],
): (address: string) => string | undefined {
  const own = (kind: string): boolean => kind === "host" || kind === "member";
  const known = new Map<string, string>();
  const add = (kind: string, key: string, body: unknown): void => {
    for (const address of Addressed.parse(body).addresses ?? [])
      known.set(address, `${kind} ${key}`);
  };
  for (const { kind, key, body } of rows) if (own(kind)) add(kind, key, JSON.parse(body));
  for (const change of changes)
    if (change.op === "put" && own(change.kind)) add(change.kind, change.key, change.body);
  return (address) => known.get(address);
}

async function previewHost(
  ports: Ports,
  compiled: Compiler,
  changing: ChangingHost,
): Promise<HostPreview> {
  const { host, mode, ruleset, bundle_sha256, served } = changing;
  const now =
    served === undefined ? emptyRuleset : await readServedRuleset(ports, compiled, host, served);
  return {
    host,
    before: served === undefined ? null : sizeOf(served, now),
    after: mode === "closed" ? null : sizeOf(bundle_sha256, ruleset),
    ...(mode === "closed" ? nothingOpens() : opensBetween(now, ruleset)),
    ...compareRulesets(now, ruleset),
  };
}

const sizeOf = (bundle_sha256: string, ruleset: Ruleset): BundleSize => ({
  bundle_sha256,
  rules: ruleset.rules.length,
  elements: elementCount(ruleset),
});

/** Compiled again where that gives the served bytes, which costs no read; else the published bundle itself. */
async function readServedRuleset(
  ports: Ports,
  compiled: Compiler,
  host: string,
  served: string,
): Promise<Ruleset> {
  const ruleset = compiled(host);
  if (ruleset !== undefined && (await bundleOf(host, ruleset)).sha256 === served) return ruleset;
  const bytes = await ports.blobs.get(served);
  const decoded = bytes === undefined ? undefined : decodeBundle(bytes);
  if (decoded?.ok !== true)
    throw new Error(`the bundle that host ${host} is served cannot be read`);
  return decoded.ruleset;
}
