/** What a change opens and closes, as a reviewer asks: which ports of whom, for whom. Hosts of one answer are one line. Pure. */
import type { HostPlan, PlanOpening, PlanPeers } from "#schema/api/commits.ts";
import { type Line, line, shortenNames } from "./lines.ts";

/** Whose an address is. */
export type Names = Readonly<Record<string, string>>;

/** Nothing where no host's rules change. */
export function opensLines(hosts: readonly HostPlan[], names: Names): readonly Line[] {
  const opens = foldOpenings(hosts, ({ opens: own }) => own);
  const closes = foldOpenings(hosts, ({ closes: own }) => own);
  const going = hosts.filter(({ after }) => after === null).map(({ host }) => host);
  const gone = going.map(
    (host) => `host ${host} closes: it goes, and lets in only what its own guard names`,
  );
  const more = hosts.filter((host) => host.more).map(({ host }) => host);
  const said = opens.length + closes.length + gone.length > 0;
  return [
    ...section(
      "opens:",
      "added",
      "+",
      opens.map((one) => formatOpening(one, names)),
    ),
    ...section("closes:", "removed", "-", [
      ...gone,
      ...closes.map((one) => formatOpening(one, names)),
    ]),
    ...(more.length === 0
      ? []
      : [line("changed", `and more on ${shortenNames(more)}: the first hundred are shown`)]),
    ...(said || hosts.length === 0 ? [] : [line("dim", "opens and closes nothing")]),
  ];
}

const section = (
  title: string,
  tone: "added" | "removed",
  sign: string,
  texts: readonly string[],
): readonly Line[] =>
  texts.length === 0
    ? []
    : [line(undefined, title), ...texts.map((text) => line(tone, `  ${sign} ${text}`))];

interface Folded {
  readonly opening: PlanOpening;
  readonly hosts: readonly string[];
}

/** One for each thing that opens, with the hosts where it does. Rows may differ: a reviewer asks for packets. */
function foldOpenings(
  hosts: readonly HostPlan[],
  of: (host: HostPlan) => readonly PlanOpening[],
): readonly Folded[] {
  const all = hosts.flatMap((plan) => of(plan).map((opening) => ({ opening, host: plan.host })));
  const groups = Map.groupBy(all, ({ opening }) => JSON.stringify({ ...opening, row: "" }));
  return [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined
      ? []
      : [
          {
            opening: first.opening,
            hosts: [...new Set([first, ...others].map(({ host }) => host))],
          },
        ],
  );
}

function formatOpening({ opening, hosts }: Folded, names: Names): string {
  const { scope, direction, what, from, to, until } = opening;
  const at = shortenNames(hosts);
  const ends = until === null ? "" : `, until ${until}`;
  const [source, destination] = [formatPeers(from, names), formatPeers(to, names)];
  if (scope !== "host") {
    const where = `${scope.replace("/", " ")} of ${at}`;
    const way = { in: `into ${where}`, out: `out of ${where}`, peer: `within ${where}` }[direction];
    return `${what} ${way}: from ${source} to ${destination}${ends}`;
  }
  return direction === "out"
    ? `${what} from ${at}: to ${destination}${ends}`
    : `${what} to ${at}: from ${source}${to.name === "any" ? "" : ` to ${destination}`}${ends}`;
}

const addressesMax = 6;

function formatPeers({ name, addresses, more }: PlanPeers, names: Names): string {
  if (name === "any") return "anywhere";
  const isMore = more || addresses.length > addressesMax;
  const shown = addresses
    .slice(0, addressesMax)
    .map((address) => addOwner(address, names, name !== null));
  const list = [...shown, ...(isMore ? ["…"] : [])].join(", ");
  return name === null || list === "" ? (name ?? list) : `${name} (${list})`;
}

/** `192.0.2.1 (host web1)`, and within brackets `192.0.2.1 host web1`. */
function addOwner(address: string, names: Names, isWithin: boolean): string {
  const owner = names[address];
  if (owner === undefined) return address;
  return isWithin ? `${address} ${owner}` : `${address} (${owner})`;
}
