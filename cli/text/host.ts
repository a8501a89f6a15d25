/** What changes in the rules of hosts, line by line; hosts with the same changes are said once. Pure. */
import type { HostPlan } from "#schema/api/commits.ts";
import { type Line, line, shortenNames } from "./lines.ts";
import type { Names } from "./openings.ts";

/** Of a set that changes, the first few elements. A host that goes is said elsewhere: it closes. */
export function listHostsLines(hosts: readonly HostPlan[], names: Names): readonly Line[] {
  const staying = hosts.filter(({ after }) => after !== null);
  return [...Map.groupBy(staying, sameness).values()].flatMap((group) => {
    const [first] = group;
    const who = group.map(({ host }) => host);
    return first === undefined ? [] : listChangeLines(first, titleOf(who), membersMax, names);
  });
}

const titleOf = (hosts: readonly string[]): string =>
  hosts.length === 1 ? `host ${hosts[0] ?? ""}` : `hosts ${shortenNames(hosts)}`;

/** Equal for hosts whose lines are. */
const sameness = ({ before, after, scopes, rules, sets, other }: HostPlan): string =>
  JSON.stringify([
    before?.rules,
    before?.elements,
    after?.rules,
    after?.elements,
    scopes,
    rules,
    sets,
    other,
  ]);

/** One host with every element: whoever signs it must be able to see it. */
export const wholeHostLines = (change: HostPlan): readonly Line[] =>
  listChangeLines(change, titleOf([change.host]), Infinity, {});

function listChangeLines(
  { before, after, scopes, rules, sets, other }: HostPlan,
  title: string,
  shownMax: number,
  names: Names,
): readonly Line[] {
  const sizes = `${before?.rules ?? 0} -> ${after?.rules ?? 0} rules, ${before?.elements ?? 0} -> ${after?.elements ?? 0} elements`;
  return [
    line(undefined, `${title}: ${sizes}`),
    ...scopes.removed.map((scope) => line("removed", `    - scope ${scope}`)),
    ...scopes.added.map((scope) => line("added", `    + scope ${scope}`)),
    ...rules.removed.map((rule) => line("removed", `    - ${rule}`)),
    ...rules.added.map((rule) => line("added", `    + ${rule}`)),
    ...sets.map((set) =>
      line(
        "changed",
        `    set ${set.name}: +${set.added_count} -${set.removed_count}${listMembers(set, shownMax, names)}`,
      ),
    ),
    ...other.map((text) => line("changed", `    ${text}`)),
  ];
}

const membersMax = 6;

/** The first few, so that one address is seen and ten thousand are not. */
function listMembers(
  { added, removed, added_count, removed_count }: HostPlan["sets"][number],
  shownMax: number,
  names: Names,
): string {
  const nameItem = (item: string): string =>
    names[item] === undefined ? item : `${item} (${names[item]})`;
  const all = [
    ...added.map((item) => `+${nameItem(item)}`),
    ...removed.map((item) => `-${nameItem(item)}`),
  ];
  const more = added_count + removed_count > Math.min(all.length, shownMax) ? " …" : "";
  return all.length === 0 ? "" : ` (${all.slice(0, shownMax).join(" ")}${more})`;
}
