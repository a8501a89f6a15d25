/** Lists in one bound parameter each, as JSON: D1 binds at most 100 parameters a statement, and takes 2 MB a value. */
import { sql as raw } from "drizzle-orm";
import type { SQL } from "drizzle-orm";

/** Any number of texts, for the right side of drizzle's `inArray`. */
export const inList = (values: readonly string[]): SQL =>
  raw`(SELECT value FROM json_each(${JSON.stringify(values)}))`;

/** The same in SQL as text: the right side of an `IN`, over the JSON array bound as parameter `n`. */
export const inListAt = (n: number): string => `(SELECT value FROM json_each(?${n}))`;

/** UTF-16 units of one JSON parameter: each is at most 3 bytes. */
const chunkLengthMax = 500_000;

/** Rows as JSON arrays in their order, none longer than a parameter may be. */
export function splitChunks(rows: readonly (readonly unknown[])[]): readonly string[] {
  const parts: string[][] = [];
  let length = chunkLengthMax;
  for (const text of rows.map((row) => JSON.stringify(row))) {
    if (length + text.length > chunkLengthMax) {
      parts.push([]);
      length = 0;
    }
    parts.at(-1)?.push(text);
    length += text.length + 1;
  }
  return parts.map((part) => `[${part.join(",")}]`);
}
