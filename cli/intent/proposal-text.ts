/** A plan as a reviewer reads it: what opens and closes, then the rows, then each host's rules, then what to look at. Pure. */
import type { Plan, RowChange } from "#schema/api/commits.ts";
import { formatFinding } from "#cli/catalog/places.ts";
import { compareBodies, listBodyFields } from "#cli/text/diff.ts";
import { listHostsLines } from "#cli/text/host.ts";
import { type Line, line, plural, printLines, shortenNames } from "#cli/text/lines.ts";
import { opensLines } from "#cli/text/openings.ts";
import type { Output } from "#cli/text/output.ts";
import type { Proposal } from "./proposal.ts";

const signs = { create: "+", update: "~", delete: "-" } as const;
const opTones = { create: "added", update: "changed", delete: "removed" } as const;

/** Prints a proposal. */
export function printProposal(
  output: Output,
  {
    answer,
    warnings,
    undeclared,
    source,
  }: Pick<Proposal, "answer" | "warnings" | "undeclared" | "source">,
): void {
  const { changes, hosts, names } = answer;
  printLines(output, [
    ...opensLines(hosts, names),
    ...changes.flatMap(listRowLines),
    ...listHostsLines(hosts, names),
    ...listHeldLines(answer).map((held) => line("changed", held)),
    ...behindLines(answer).map((held) => line("changed", held)),
    ...warnings.map((warning) => line("changed", `warning: ${warningText(warning)}`)),
    ...listUndeclaredLines(undeclared, source),
    line(undefined, summarizePlan(answer)),
  ]);
}

function listRowLines({ op, kind, key, before, after }: RowChange): readonly Line[] {
  const head = line(opTones[op], `${signs[op]} ${kind} ${key}`);
  switch (op) {
    case "create":
      return [head, ...listBodyFields(after).map((text) => line("added", `    ${text}`))];
    case "update":
      return [
        head,
        ...compareBodies(before, after).map(({ tone, text }) => line(tone, `    ${text}`)),
      ];
    case "delete":
      return [head];
  }
}

/** Hosts that do not get it now, and why. */
function listHeldLines({ staged, pinned, waiting }: Plan): readonly string[] {
  const list = (what: string, hosts: readonly string[]): readonly string[] =>
    hosts.length === 0 ? [] : [`${what}: ${shortenNames(hosts)}`];
  return [
    ...list("staged, for a rollout to bring", staged),
    ...list("pinned, so withheld", pinned),
    ...waiting.map(
      ({ host, because }) => `waits for what is withheld already: ${host}: ${because}`,
    ),
  ];
}

/** Hosts that lack what is committed already, as after a rollout that was halted or went back. */
const behindLines = ({ behind }: Plan): readonly string[] => [
  ...behind.map(({ revisions, hosts }) => {
    const [what, are] = revisions.length === 1 ? ["revision", "is"] : ["revisions", "are"];
    return `${what} ${shortenNames(revisions.map(String))} ${are} withheld from ${shortenNames(hosts)}`;
  }),
  ...(behind.length === 0
    ? []
    : [
        "portcullis rollout start brings what is withheld; portcullis rollout list says what stopped it",
      ]),
];

/** Rows of this source that stand and that no file declares: forgotten, or to be deleted. */
function listUndeclaredLines(rows: Proposal["undeclared"], source: string): readonly Line[] {
  if (rows.length === 0) return [];
  const names = rows.map(({ kind, key }) => `${kind} ${key}`);
  const [stand, them] = rows.length === 1 ? ["stands", "it"] : ["stand", "them"];
  const count = plural(rows.length, "row");
  return [
    line(
      "changed",
      `${count} of source ${source} ${stand} in no file: ${shortenNames(names)}; --prune deletes ${them}`,
    ),
  ];
}

/** `3 changes (1 create, 2 update) on revision 7, 2 hosts affected`. */
function summarizePlan({ changes, hosts, revision }: Plan): string {
  if (changes.length === 0)
    return `no change; revision ${revision} says all that the files declare`;
  const counts = (["create", "update", "delete"] as const)
    .map((op) => ({ op, count: changes.filter((change) => change.op === op).length }))
    .filter(({ count }) => count > 0)
    .map(({ op, count }) => `${count} ${op}`);
  const affected =
    hosts.length === 0 ? "no host's rules change" : `${plural(hosts.length, "host")} affected`;
  return `${plural(changes.length, "change")} (${counts.join(", ")}) on revision ${revision}, ${affected}`;
}

const warningText = ({ path, message, place }: Proposal["warnings"][number]): string =>
  place === null ? `${path}: ${message}` : formatFinding({ ...place, path, message });
