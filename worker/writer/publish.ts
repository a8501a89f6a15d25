/**
 * Signs the repositories of the hosts whose bundle changes, and of no other: equal bytes publish nothing (law 4).
 * Blobs are stored first, under their hash; a commit that is then lost leaves bytes that nobody points to.
 */
import { encodeBundle } from "#schema/bundle.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { sha256Hex } from "../encoding.ts";
import type { Ports } from "../ports.ts";
import { publishHost } from "../publish/index.ts";
import type { Repository } from "../publish/types.ts";
import { readRepositories, servedBundles } from "../store/commit.ts";

export interface Publications {
  /** First repositories of hosts that had none. */
  readonly added: readonly Repository[];
  readonly updated: readonly Repository[];
}

/** @throws BundleTooLarge */
export async function publish(
  ports: Ports,
  revision: number,
  rulesets: ReadonlyMap<string, Ruleset>,
): Promise<Publications> {
  const changed = await changedHosts(ports, rulesets);
  const previous = await readRepositories(ports.sql, [...changed.keys()]);
  const { fleet, leaseSeconds } = ports.settings;
  const now = ports.clock.now();
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  const added: Repository[] = [];
  const updated: Repository[] = [];
  for (const [host, ruleset] of changed) {
    const before = previous.get(host);
    const published = await publishHost({
      fleet,
      host,
      revision,
      now,
      leaseSeconds,
      signer: ports.signer,
      ruleset,
      previous: before,
    });
    if (published === undefined) continue;
    blobs.set(published.repository.bundle_sha256, published.bundle);
    (before === undefined ? added : updated).push(published.repository);
  }
  await Promise.all([...blobs].map(([sha256, bytes]) => ports.blobs.put(sha256, bytes)));
  return { added, updated };
}

/** Hosts whose bundle is not the one they are served; only their metadata is read. */
async function changedHosts(
  ports: Ports,
  rulesets: ReadonlyMap<string, Ruleset>,
): Promise<ReadonlyMap<string, Ruleset>> {
  const served = await servedBundles(ports.sql);
  const changed = new Map<string, Ruleset>();
  for (const [host, ruleset] of rulesets)
    if ((await sha256Hex(encodeBundle(ruleset))) !== served.get(host)) changed.set(host, ruleset);
  return changed;
}
