/** A plan as people read it: the rows, then what that means for each host, then what to look at. Pure. */
import type { HostPlan, Plan, RowChange } from "#schema/api/commits.ts";
import { findingText } from "./catalog/places.ts";
import { bodyDifferences } from "./diff.ts";
import { type Output, paint, printable, type Tone } from "./output.ts";
import type { Proposal } from "./proposal.ts";

/** A line and how it is coloured. */
export interface Line {
  readonly tone: Tone | undefined;
  readonly text: string;
}

export const line = (tone: Tone | undefined, text: string): Line => ({ tone, text: text.trimEnd() });
const signs = { create: "+", update: "~", delete: "-" } as const;
const opTones = { create: "added", update: "changed", delete: "removed" } as const;

/** Prints a proposal. */
export function printProposal(output: Output, { answer, warnings, notes }: Proposal): void {
  printLines(output, [
    ...answer.changes.flatMap(rowLines),
    ...answer.hosts.flatMap(hostLines),
    ...heldLines(answer).map((held) => line("changed", held)),
    ...warnings.map((warning) => line("changed", `warning: ${warningText(warning)}`)),
    ...notes.map((note) => line("dim", `note: ${note}`)),
    line(undefined, summary(answer)),
  ]);
}

/** Prints lines without what a terminal would obey, whoever wrote their words. */
export function printLines(output: Output, lines: readonly Line[]): void {
  for (const { tone, text } of lines) {
    const indent = /^ */.exec(text)?.[0] ?? "";
    const shown = indent + printable(text);
    output.line(tone === undefined ? shown : paint(output, tone, shown));
  }
}

function rowLines({ op, kind, key, before, after }: RowChange): readonly Line[] {
  const head = line(opTones[op], `${signs[op]} ${kind} ${key}`);
  if (op !== "update") return [head];
  return [head, ...bodyDifferences(before, after).map(({ tone, text }) => line(tone, `    ${text}`))];
}

/** A plan for one host; of a set that changes, the first few elements. */
const hostLines = (change: HostPlan): readonly Line[] => changeLines(change, membersMax);

/** The same with every element: whoever signs it must be able to see it. */
export const wholeHostLines = (change: HostPlan): readonly Line[] => changeLines(change, Infinity);

function changeLines(
  { host, before, after, scopes, rules, sets, other }: HostPlan,
  shownMax: number,
): readonly Line[] {
  const sizes = `${before?.rules ?? 0} -> ${after?.rules ?? 0} rules, ${before?.elements ?? 0} -> ${after?.elements ?? 0} elements`;
  return [
    line(undefined, `host ${host}: ${sizes}`),
    ...scopes.removed.map((scope) => line("removed", `    - scope ${scope}`)),
    ...scopes.added.map((scope) => line("added", `    + scope ${scope}`)),
    ...rules.removed.map((rule) => line("removed", `    - ${rule}`)),
    ...rules.added.map((rule) => line("added", `    + ${rule}`)),
    ...sets.map((set) =>
      line(
        "changed",
        `    set ${set.name}: +${set.added_count} -${set.removed_count}${members(set, shownMax)}`,
      ),
    ),
    ...other.map((text) => line("changed", `    ${text}`)),
  ];
}

/** Hosts that do not get it now, and why. */
function heldLines({ staged, pinned, waiting }: Plan): readonly string[] {
  const list = (what: string, hosts: readonly string[]): readonly string[] =>
    hosts.length === 0 ? [] : [`${what}: ${shortened(hosts)}`];
  return [
    ...list("staged, for a rollout to bring", staged),
    ...list("pinned, so withheld", pinned),
    ...waiting.map(({ host, because }) => `waits for what is withheld already: ${host}: ${because}`),
  ];
}

const hostsMax = 20;

const shortened = (hosts: readonly string[]): string =>
  [
    ...hosts.slice(0, hostsMax),
    ...(hosts.length > hostsMax ? [`and ${hosts.length - hostsMax} more`] : []),
  ].join(", ");

const membersMax = 6;

/** The first few, so that one address is seen and ten thousand are not. */
function members(
  { added, removed, added_count, removed_count }: HostPlan["sets"][number],
  shownMax: number,
): string {
  const all = [...added.map((item) => `+${item}`), ...removed.map((item) => `-${item}`)];
  const more = added_count + removed_count > Math.min(all.length, shownMax) ? " …" : "";
  return all.length === 0 ? "" : ` (${all.slice(0, shownMax).join(" ")}${more})`;
}

/** `3 changes (1 create, 2 update) on revision 7, 2 hosts affected`. */
function summary({ changes, hosts, revision }: Plan): string {
  if (changes.length === 0) return `no change; revision ${revision} says all of it`;
  const counts = (["create", "update", "delete"] as const)
    .map((op) => ({ op, count: changes.filter((change) => change.op === op).length }))
    .filter(({ count }) => count > 0)
    .map(({ op, count }) => `${count} ${op}`);
  return `${plural(changes.length, "change")} (${counts.join(", ")}) on revision ${revision}, ${plural(hosts.length, "host")} affected`;
}

const warningText = ({ path, message, place }: Proposal["warnings"][number]): string =>
  place === null ? `${path}: ${message}` : findingText({ ...place, path, message });

export const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
