/** What a store says when it cannot write for now, through no fault of the request: told apart by its own words. */
import type { ProblemCode } from "#schema/problems.ts";

type Failure = Extract<ProblemCode, "storage_full" | "busy">;

/** SQLite's result codes as both adapters print them, D1's own limit, and errno of the file system below blobs. */
const words: readonly (readonly [RegExp, Failure])[] = [
  [
    /database or disk is full|SQLITE_FULL|Exceeded maximum DB size|\b(?:ENOSPC|EDQUOT)\b/,
    "storage_full",
  ],
  [/database is locked|SQLITE_BUSY/, "busy"],
];

/** Looks through `cause`, where drizzle and adapters hide it; undefined for any other error. */
export function storeFailure(error: unknown): Failure | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const said = `${"code" in cause ? String(cause.code) : ""} ${cause.message}`;
    const failure = words.find(([pattern]) => pattern.test(said));
    if (failure !== undefined) return failure[1];
  }
  return undefined;
}
