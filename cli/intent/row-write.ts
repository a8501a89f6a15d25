/** What commands that write one row have in common: when hosts get it, why, for whom, and of which version. */
import { flag, value } from "#args/spec.ts";
import type { Committed } from "#schema/api/commits.ts";
import { behalfOption, note, parseRevisionNumber } from "#cli/run/command.ts";
import { formatWritten } from "./commit.ts";

export const writeOptions = {
  message: value("TEXT", "why, for the revision", { short: "m" }),
  stage: flag("change no host: portcullis rollout start brings it to them"),
  "if-revision": value(
    "R",
    "only if the row is still as this revision wrote it; new: only if it is not there",
  ),
  "on-behalf-of": behalfOption,
} as const;

interface WriteValues {
  readonly message: string | undefined;
  readonly stage: boolean;
  readonly "if-revision": string | undefined;
  readonly "on-behalf-of": string | undefined;
}

/** Query and headers of a write. @throws UsageError */
export function writeAsked(values: WriteValues) {
  const { message, stage, "if-revision": version, "on-behalf-of": behalf } = values;
  return {
    query: {
      ...(message === undefined ? {} : { message: note("--message", message) }),
      release: stage ? "staged" : "now",
    },
    headers: {
      ...(version === undefined ? {} : precondition(version)),
      ...(behalf === undefined
        ? {}
        : { "Portcullis-On-Behalf-Of": note("--on-behalf-of", behalf) }),
    },
  };
}

/** Entity tags of rows are the revisions that wrote them. @throws UsageError */
const precondition = (version: string): { "If-Match": string } | { "If-None-Match": string } =>
  version === "new"
    ? { "If-None-Match": "*" }
    : { "If-Match": `"${parseRevisionNumber(version)}"` };

/** What a write came to: `member office/carol created: revision 8: published to 1 host`. */
export function formatRow(written: Committed): string {
  const [row] = written.rows;
  const what = row === undefined ? "nothing" : `${row.kind} ${row.key} ${row.op}`;
  return written.changed ? `${what}; ${formatWritten(written)}` : what;
}
