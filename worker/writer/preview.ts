/**
 * What a commit would do, by the function that the commit itself uses, and nothing written. Each host is compared with
 * what it is served now: the bundle that was published, not an opinion of it.
 */
import { decodeBundle } from "#schema/bundle.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import type { Commit } from "#schema/intent.ts";
import { emptyRuleset, type Ruleset } from "#schema/ruleset.ts";
import { type Difference, difference, elementCount } from "#simulate/difference.ts";
import type { Ports } from "../ports.ts";
import { bundleOf } from "../publish/index.ts";
import { readHead } from "../store/intent.ts";
import type { RefusedCommit } from "./index.ts";
import type { RowDifference } from "./plan.ts";
import type { ChangingHost } from "./changed.ts";
import type { Compiler } from "./compiler.ts";
import { byHost, type HeldHost, project } from "./project.ts";

type PreviewRequest = Pick<Commit, "parent" | "allow_guard_refusals" | "release" | "changes">;

export interface BundleSize {
  readonly bundle_sha256: string;
  readonly rules: number;
  readonly elements: number;
}

/** `before` is null for a host that was served nothing yet, `after` for one that goes. */
export interface HostPreview extends Difference {
  readonly host: string;
  readonly before: BundleSize | null;
  readonly after: BundleSize | null;
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
      readonly warnings: readonly Diagnostic[];
    }
  | RefusedCommit;

export async function preview(ports: Ports, request: PreviewRequest): Promise<Preview> {
  const { parent } = request;
  const intent = await readHead(ports.sql);
  const { revision } = intent;
  if (parent !== undefined && parent !== revision) return { ok: false, code: "stale_parent", head: revision };
  const projected = await project(ports.sql, intent, request);
  if (!projected.ok) return projected;
  const { held, warnings, plan, compiled } = projected;
  const hosts = [...projected.hosts, ...held.flatMap(({ changing }) => changing ?? [])].sort(byHost);
  const previews: HostPreview[] = [];
  for (const host of hosts) previews.push(await hostPreview(ports, compiled, host));
  return { ok: true, revision, changes: plan.differences, hosts: previews, held, warnings };
}

async function hostPreview(ports: Ports, compiled: Compiler, changing: ChangingHost): Promise<HostPreview> {
  const { host, mode, ruleset, bundle_sha256, served } = changing;
  const now = served === undefined ? emptyRuleset : await servedRuleset(ports, compiled, host, served);
  return {
    host,
    before: served === undefined ? null : sizeOf(served, now),
    after: mode === "closed" ? null : sizeOf(bundle_sha256, ruleset),
    ...difference(now, ruleset),
  };
}

const sizeOf = (bundle_sha256: string, ruleset: Ruleset): BundleSize => ({
  bundle_sha256,
  rules: ruleset.rules.length,
  elements: elementCount(ruleset),
});

/** Compiled again where that gives the served bytes, which costs no read; else the published bundle itself. */
async function servedRuleset(
  ports: Ports,
  compiled: Compiler,
  host: string,
  served: string,
): Promise<Ruleset> {
  const ruleset = compiled(host);
  if (ruleset !== undefined && (await bundleOf(host, ruleset)).sha256 === served) return ruleset;
  const bytes = await ports.blobs.get(served);
  const decoded = bytes === undefined ? undefined : decodeBundle(bytes);
  if (decoded?.ok !== true) throw new Error(`the bundle that host ${host} is served cannot be read`);
  return decoded.ruleset;
}
