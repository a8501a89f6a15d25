/**
 * `portcullis revert REVISION`: a new commit that makes the rows of one revision what they were before it. Planned and
 * asked for like any other; a row that was changed again since is not taken back with it unless that is said.
 */
import { exitCodes } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import type { RevisionDetail } from "#schema/api/commits.ts";
import { Change } from "#schema/intent.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { behalfOption, command, note, onBehalfOf, parseRevisionNumber } from "#cli/run/command.ts";
import { requireAgreement, commit, formatWritten } from "#cli/intent/commit.ts";
import { Failure, Failures } from "#cli/text/output.ts";
import { readRows } from "#cli/http/pages.ts";
import type { CurrentRow } from "#cli/http/pages.ts";
import { printProposal } from "#cli/intent/proposal-text.ts";
import { describeProposal, proposeChanges } from "#cli/intent/proposal.ts";

export const revert = command(
  {
    name: "revert",
    summary: "make the rows of a revision what they were before it",
    about: [
      "Shows the plan, asks, and commits it as a new revision. Rows that later revisions changed again are refused by " +
        "name. A catalog in Git that still says otherwise brings it back with its next apply.",
    ],
    positionals: { revision: { value: "REVISION", required: true, ask: "which revision?" } },
    options: {
      message: value("TEXT", "why, for the new revision (default: revert of REVISION)", {
        short: "m",
      }),
      "on-behalf-of": behalfOption,
      stage: flag("change no host: portcullis rollout start brings it to them"),
      overwrite: flag("take rows back too that later revisions changed again"),
      "allow-guard-refusal": value(
        "HOST",
        "publish to this host although the guard it reported refuses the bundle; may be repeated",
        { many: true },
      ),
      yes: flag("do not ask; needed where nobody can answer"),
      json: flag("the result as JSON"),
      ...connectionOptions,
    },
    examples: ["revert r12", "revert 12 -m 'the shop is closed' --stage --yes"],
  },
  async ({ values, positionals }, { env, output }) => {
    const revision = parseRevisionNumber(positionals.revision);
    const message = note("--message", values.message ?? `revert of revision ${revision}`);
    const behalf = onBehalfOf(values["on-behalf-of"]);
    const release = values.stage ? "staged" : "now";
    const client = openClient(values, env);
    const detail = await client.call("GET /v1/revisions/:revision", { params: { revision } });
    const current = await readRows(client);
    const later = findChangedSince(detail, current.rows);
    if (later.length > 0 && !values.overwrite)
      throw new Failures([...later, "nothing was written; --overwrite takes these rows back too"]);
    const { source } = detail;
    const proposal = await proposeChanges(client, [], inverseOf(detail, current.rows), {
      parent: current.revision,
      source,
      release,
      allowGuardRefusals: values["allow-guard-refusal"],
    });
    const { json } = values;
    if (!json) printProposal(output, proposal);
    if (proposal.answer.changes.length === 0) {
      if (json) output.line(JSON.stringify({ changed: false, revision: current.revision }));
      return exitCodes.ok;
    }
    if (!values.yes) await requireAgreement(output, proposal);
    const written = await commit(client, proposal, { message, source, release, ...behalf });
    output.line(
      json
        ? JSON.stringify({ ...written, plan: describeProposal(proposal) })
        : formatWritten(written),
    );
    return exitCodes.ok;
  },
);

const nameOf = ({ kind, key }: { readonly kind: string; readonly key: string }): string =>
  `${kind} ${key}`;

/** A sentence for each row of the revision that is no longer as the revision left it. */
function findChangedSince(
  { revision, changes }: RevisionDetail,
  current: readonly CurrentRow[],
): readonly string[] {
  const rows = new Map(current.map((row) => [nameOf(row), row]));
  return changes.flatMap((change) => {
    const row = rows.get(nameOf(change));
    if (change.after === null)
      return row === undefined
        ? []
        : [
            `${nameOf(change)}: revision ${revision} deleted it, revision ${row.revision} made it anew`,
          ];
    if (row === undefined) return [`${nameOf(change)}: it was deleted since revision ${revision}`];
    return row.revision === revision
      ? []
      : [`${nameOf(change)}: revision ${row.revision} changed it again since revision ${revision}`];
  });
}

/** What takes a revision back; what is as it was before already needs nothing. @throws Failure */
function inverseOf(
  { revision, changes }: RevisionDetail,
  current: readonly CurrentRow[],
): readonly Change[] {
  const there = new Set(current.map(nameOf));
  return changes.flatMap(({ kind, key, before }) => {
    if (before === null && !there.has(nameOf({ kind, key }))) return [];
    const parsed = Change.safeParse(
      before === null ? { op: "delete", kind, key } : { op: "put", kind, key, body: before },
    );
    if (parsed.success) return [parsed.data];
    throw new Failure(`${kind} ${key} before revision ${revision} is not as this version knows it`);
  });
}
