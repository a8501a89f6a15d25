/** Entity tags (RFC 9110 §8.8.3, §13.1.2): how one is made of a host's timestamp, and how a request's list is read. */
import { sha256Hex } from "./encoding.ts";
import type { Repository } from "./publish/types.ts";

/** Derived from the timestamp's exact bytes: it changes with every lease and with nothing else. */
export async function repositoryTag(
  repository: Pick<Repository, "timestamp" | "timestamp_version">,
): Promise<string> {
  const digest = await sha256Hex(repository.timestamp);
  return `"t${repository.timestamp_version}-${digest.slice(0, 16)}"`;
}

/**
 * Does an If-None-Match header name this tag? Weak comparison, because caches on the way turn strong tags weak; a list
 * and `*` as the RFC has them.
 */
export function namesTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  const named = ifNoneMatch.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return named.some((candidate) => candidate.replace(/^W\//, "") === tag);
}
