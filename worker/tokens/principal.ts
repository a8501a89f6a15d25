/**
 * Who decided something, as it is written down: the first operator token, or an API token by its name, which is given
 * once. Whether two of them are two people: a token's maker can use it, so tokens of one line are in one person's hands,
 * and the first operator token could have made any.
 */
import type { Sql } from "#worker/ports/index.ts";
import { readAncestorsByName } from "./rows.ts";

export const adminName = "admin";
const prefix = "token:";
export const principalName = (tokenName: string): string => `${prefix}${tokenName}`;

/**
 * One of the others that may be the same person as this principal; undefined when all are somebody else. A principal
 * that no token bears is nobody's other.
 */
export async function kinOf(
  sql: Sql,
  principal: string,
  others: readonly string[],
): Promise<string | undefined> {
  const names = [principal, ...others].map((name) => name.slice(prefix.length));
  const ancestors = await readAncestorsByName(sql, names);
  const lines = (name: string): ReadonlySet<string> =>
    (name.startsWith(prefix) ? ancestors.get(name.slice(prefix.length)) : undefined) ?? new Set();
  const own = lines(principal);
  return others.find((other) => {
    const theirs = lines(other);
    return own.size === 0 || theirs.size === 0 || [...own].some((ancestor) => theirs.has(ancestor));
  });
}
