/**
 * Where something stands in a catalog file, so that every finding can say file, line, column and path. Paths are JSON
 * pointers (RFC 6901) into what the files declare, such as `/services/web/ingress/0/port`.
 */
import { printable } from "#cli/text/output.ts";

export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
}

/** Something wrong in a catalog, where it stands. */
export interface Finding extends Place {
  readonly path: string;
  readonly message: string;
}

/** Offsets of a value, of the key it has in its parent, and of what it holds. */
export interface Spot {
  readonly key: number;
  readonly value: number;
  readonly children: ReadonlyMap<string, Spot>;
}

export type Path = readonly PropertyKey[];

/** The deepest spot on the way that is written in the file; a missing field is reported where it is missing. */
export function findNearest(spot: Spot, path: Path): Spot {
  let found = spot;
  for (const part of path) {
    const child = found.children.get(String(part));
    if (child === undefined) return found;
    found = child;
  }
  return found;
}

/** JSON pointer (RFC 6901). */
export const pointer = (path: Path): string =>
  path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** Reads a JSON pointer; a text that is none is one part. */
export const pointerParts = (text: string): readonly string[] =>
  text
    .replace(/^\//, "")
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

const pathMax = 200;

/** `catalog/web.yaml:12:14: /services/web/ingress/0/port: expected a port`, on one line whatever the file holds. */
export function formatFinding({ file, line, column, path, message }: Finding): string {
  const shown = path.length > pathMax ? `${path.slice(0, pathMax)}…` : path;
  return printable(
    `${placeText({ file, line, column })}: ${shown === "" ? "" : `${shown}: `}${message}`,
  );
}

export const placeText = ({ file, line, column }: Place): string => `${file}:${line}:${column}`;
