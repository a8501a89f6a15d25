/** The entity tag of what a host is served. */
import { sha256Hex } from "#worker/lib/encoding.ts";
import type { Repository } from "#worker/signing/index.ts";

/** Derived from the timestamp's exact bytes: it changes with every lease and with nothing else. */
export async function repositoryTag(
  repository: Pick<Repository, "timestamp" | "timestamp_version">,
): Promise<string> {
  const digest = await sha256Hex(repository.timestamp);
  return `"t${repository.timestamp_version}-${digest.slice(0, 16)}"`;
}
