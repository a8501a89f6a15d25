/** The entity tag of what a host is served. */
import { hashSha256 } from "#worker/lib/encoding.ts";
import type { Repository } from "#worker/signing/index.ts";

/** Derived from the timestamp's exact bytes: it changes with every lease and with nothing else. */
export async function makeRepositoryTag(
  repository: Pick<Repository, "timestamp" | "timestamp_version">,
): Promise<string> {
  const digest = await hashSha256(repository.timestamp);
  return `"t${repository.timestamp_version}-${digest.slice(0, 16)}"`;
}
