/** Entity tags (RFC 9110 §8.8.3, §13.1.2): how a request's list is read. */

/**
 * Does an If-None-Match header name this tag? Weak comparison, because caches on the way turn strong tags weak; a list
 * and `*` as the RFC has them.
 */
export function hasTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  const named = ifNoneMatch.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return named.some((candidate) => candidate.replace(/^W\//, "") === tag);
}
