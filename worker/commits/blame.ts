/** Says in which change of a commit a compile finding lies, so that a caller can point at their own input. Pure. */
import type { Diagnostic } from "#schema/refusals.ts";
import type { Change, Kind } from "#schema/intent.ts";
import { collections, rowName } from "./plan.ts";

/**
 * A finding in a row that this commit puts gets the path of that change, `/changes/<i>/body/...`; one in a row that
 * the commit only affects keeps its path into intent.
 */
export function blame(diagnostic: Diagnostic, changes: readonly Change[]): Diagnostic {
  const located = locate(diagnostic.path);
  if (located === undefined) return diagnostic;
  const name = rowName(located.kind, located.key);
  const at = changes.findIndex(({ op, kind, key }) => op === "put" && rowName(kind, key) === name);
  return at < 0 ? diagnostic : { ...diagnostic, path: `/changes/${at}/body${located.rest}` };
}

interface Located {
  readonly kind: Kind;
  readonly key: string;
  /** JSON pointer from the row's body on; empty for the row as a whole. */
  readonly rest: string;
}

function locate(path: string): Located | undefined {
  const [, collection, ...parts] = path.split("/");
  const kind = (Object.keys(collections) as Kind[]).find(
    (candidate) => collections[candidate] === collection,
  );
  if (kind === undefined) return undefined;
  const keyParts = kind === "member" ? 2 : 1;
  if (parts.length < keyParts) return undefined;
  const rest = parts.slice(keyParts).map((part) => `/${part}`);
  return { kind, key: parts.slice(0, keyParts).join("/"), rest: rest.join("") };
}
