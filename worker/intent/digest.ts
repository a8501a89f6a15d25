/** The rows of a commit as one digest, by which its audit row vouches for them. */
import { formatCanonical } from "#schema/canonical.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import type { Row } from "./rows.ts";

/** What a commit closed and what it opened, whatever the order. */
interface ChangedRows {
  readonly closed: readonly Pick<Row, "kind" | "key">[];
  readonly opened: readonly Pick<Row, "kind" | "key" | "body">[];
}

/** The digest of a commit's rows, as its audit row bears it: SHA-256 over their canonical, sorted list. */
export const digestRows = ({ closed, opened }: ChangedRows): Promise<string> =>
  hashSha256(
    formatCanonical(
      [
        ...closed.map(({ kind, key }) => `- ${kind} ${key}`),
        ...opened.map(({ kind, key, body }) => `+ ${kind} ${key} ${body}`),
      ].toSorted(),
    ),
  );
