/** A catalog: all that some files declare, or everything that is wrong with them. */
import type { Kind } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import { type Finding, pointer, pointerParts } from "./places.ts";
import { type CatalogRow, readRows } from "./rows.ts";
import { type CatalogFile, readYaml } from "./yaml.ts";

export type Catalog =
  | { readonly ok: true; readonly rows: readonly CatalogRow[] }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/** Rows in the order of the files; findings of every file, in the order of places. */
export function readCatalog(files: readonly CatalogFile[]): Catalog {
  const { rows, findings } = readRows(files.flatMap(readYaml));
  return findings.length === 0
    ? { ok: true, rows }
    : { ok: false, findings: keepTelling(findings) };
}

/** In the order of places. Where two rules say nearly the same of one value, the one that says more. */
function keepTelling(findings: readonly Finding[]): readonly Finding[] {
  const ordered = findings.toSorted(
    (a, b) =>
      compareText(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      compareText(b.message, a.message),
  );
  const kept: Finding[] = [];
  for (const found of ordered) {
    const last = kept.at(-1);
    const covered =
      last?.file === found.file &&
      last.line === found.line &&
      last.column === found.column &&
      last.path === found.path &&
      last.message.startsWith(found.message);
    if (!covered) kept.push(found);
  }
  return kept;
}

/** How the control plane's paths into intent begin, by kind; a member's key is two parts. */
const collections = {
  hosts: "host",
  members: "member",
  overlays: "overlay",
  services: "service",
  zones: "zone",
} as const satisfies Record<string, Kind>;

interface Named {
  readonly kind: string;
  readonly key: string;
}

/**
 * What the control plane found, said of the file it stands in. It names a change that was sent (`/changes/3/body/…`) or
 * a row of intent (`/services/web/…`). @returns undefined when no file declares that row
 */
export function locate(
  rows: readonly CatalogRow[],
  changes: readonly Named[],
  found: { readonly path: string; readonly message: string },
): Finding | undefined {
  const { row: named, rest } = findTarget(pointerParts(found.path), changes);
  const row = rows.find(({ put }) => put.kind === named?.kind && put.key === named.key);
  if (row === undefined) return undefined;
  const place = rest.length === 0 ? row.place : row.at(rest);
  return { ...place, path: pointer([...row.path, ...rest]), message: found.message };
}

function findTarget(parts: readonly string[], changes: readonly Named[]) {
  const [collection = "", first = "", second = "", ...rest] = parts;
  if (collection === "changes")
    return { row: changes[Number(first)], rest: second === "body" ? rest : [] };
  if (!isCollection(collection)) return { row: undefined, rest: [] };
  const kind = collections[collection];
  return kind === "member"
    ? { row: { kind, key: `${first}/${second}` }, rest }
    : { row: { kind, key: first }, rest: parts.slice(2) };
}

const isCollection = (name: string): name is keyof typeof collections =>
  Object.hasOwn(collections, name);
