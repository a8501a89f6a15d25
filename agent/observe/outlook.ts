/**
 * What a ruleset would mean for what goes on here now: who could still begin a connection to each listening socket, and
 * which flows would end. Pure; every verdict is `simulate`'s (law 5), asked with one packet for each source that the
 * rules or the guard name and one for a stranger.
 */
import { formatAddress, requireNetwork } from "#schema/address.ts";
import { compareText } from "#schema/order.ts";
import type { Protocol, Rule, Verdict } from "#schema/ruleset.ts";
import { type Packet, prepare } from "#core/simulate/index.ts";
import { portsOf } from "#core/simulate/ports.ts";
import type { CutFlow, Rules } from "#agent/flows/flows.ts";
import { describeChain, type ForeignRedirect, isRedirect } from "#agent/backend/nft/redirects.ts";
import type { Listener } from "./listeners.ts";

/** A verdict and the row that gives it; null where no row was asked. */
export interface Decided {
  readonly verdict: Verdict;
  readonly row: string | null;
}

export interface ListenerOutlook extends Pick<Listener, "protocol" | "address" | "port"> {
  /** Name of the process that listens; null where it cannot be read. */
  readonly process: string | null;
  /** Rows by which some could reach it, ascending; `guard` is the management plane. */
  readonly admitted_by: readonly string[];
  /** What happens to everybody else. */
  readonly otherwise: Decided;
  /** Chains of others that may hand its packets on before any of this is asked, such as `ip nat DOCKER`. */
  readonly redirected_by: readonly string[];
}

export interface FlowOutlook extends Decided {
  readonly protocol: "tcp" | "udp";
  readonly direction: "in" | "out";
  /** The port that was connected to: this host's own, or with `out` the peer's. */
  readonly port: number;
  readonly process: string | null;
  /** Ascending. */
  readonly peers: readonly string[];
  /** How many flows these are. */
  readonly flows: number;
}

/** Outside every network that anybody routes (RFC 1122 §3.2.1.3, RFC 6666): in a rule only where it means everybody. */
const strangers = ["0.0.0.1", "100::1"] as const;

const isV6 = (address: string): boolean => address.includes(":");

/**
 * @param own this host's addresses, by the interface that has them
 * @param processes names by inode
 * @param redirects of tables of others
 */
export function describeListeners(
  listeners: readonly Listener[],
  rules: Rules,
  own: ReadonlyMap<string, string>,
  processes: ReadonlyMap<number, string>,
  redirects: readonly ForeignRedirect[],
): readonly ListenerOutlook[] {
  const decide = prepare(rules.ruleset, rules.guard);
  const sources = sourcesOf(rules);
  return listeners.map((listener) => {
    const { protocol, address, port, inode } = listener;
    const destinations = destinationsOf(listener, rules, own);
    const ask = (source: string): readonly Decided[] =>
      destinations
        .filter(({ destination }) => isV6(destination) === isV6(source))
        .map((to) =>
          decide({ ...to, hook: "input", protocol, port, source, state: "new" } satisfies Packet),
        );
    const admitted = sources(protocol, port)
      .flatMap(ask)
      .filter(({ verdict }) => verdict === "accept")
      .map(({ row }) => row ?? "guard");
    const [first, ...more] = strangers.flatMap(ask);
    const refusing = [first, ...more].find(
      (decided) => decided !== undefined && decided.verdict !== "accept",
    );
    const { verdict, row } = refusing ?? first ?? { verdict: "accept", row: null };
    return {
      protocol,
      address,
      port,
      process: processes.get(inode) ?? null,
      admitted_by: [...new Set(admitted)].toSorted(compareText),
      otherwise: { verdict, row },
      redirected_by: redirects
        .filter((redirect) => isRedirect(redirect, listener))
        .map(describeChain),
    };
  });
}

/** Nobody could begin a connection to it any more. */
export const wouldBeCut = ({
  admitted_by: rows,
  otherwise,
  redirected_by: chains,
}: ListenerOutlook): boolean =>
  rows.length === 0 && otherwise.verdict !== "accept" && chains.length === 0;

interface Destination {
  readonly destination: string;
  readonly iif: string;
}

/** One address of each family that the socket takes, away from a management interface where there is one. */
function destinationsOf(
  { address }: Listener,
  { guard: { management } }: Rules,
  own: ReadonlyMap<string, string>,
): readonly Destination[] {
  if (address !== "0.0.0.0" && address !== "::")
    return [{ destination: address, iif: own.get(address) ?? "" }];
  const candidates = [...own].map(([destination, iif]) => ({ destination, iif }));
  const outer = candidates.filter(
    ({ iif }) => iif !== "lo" && !management.interfaces.includes(iif),
  );
  // A socket on `::` most often takes IPv4 too.
  return [false, ...(address === "::" ? [true] : [])].flatMap(
    (v6) => outer.find(({ destination }) => isV6(destination) === v6) ?? [],
  );
}

/** Sources that are asked about of a rule with an exception; bounded, as a bundle may hold many such rules on large sets. */
const exceptedAsked = 32;

/** A source for each accept rule that may be about a port, and for each management flow to it. */
function sourcesOf({
  ruleset,
  guard: { management },
}: Rules): (protocol: "tcp" | "udp", port: number) => readonly string[] {
  const elements = new Map(ruleset.sets.map((set) => [set.name, set.elements]));
  const classes = new Map(
    ruleset.classes.flatMap((map) =>
      map.classes.map(({ name, set }) => [`${map.name} ${name}`, elements.get(set) ?? []] as const),
    ),
  );
  const accepting = ruleset.rules.filter(
    (rule) => rule.scope === "host" && rule.direction === "in" && rule.verdict === "accept",
  );
  const nameSources = ({ source }: Rule): readonly string[] => {
    switch (source.kind) {
      case "any":
        return strangers;
      case "set":
        return onePerFamily(elements.get(source.set) ?? []);
      // Some of the set: one in the exception is refused when `simulate` is asked, and another one may not be.
      case "set-except":
        return (elements.get(source.set) ?? []).slice(0, exceptedAsked).map(firstOf);
      case "class":
        return onePerFamily(classes.get(`${source.map} ${source.class}`) ?? []);
      // Of denies and of vNICs: no accept of the host's has them.
      case "not-set":
      case "own":
        return [];
    }
  };
  return (protocol, port) => [
    ...accepting.filter((rule) => concerns(rule.protocol, protocol, port)).flatMap(nameSources),
    ...management.allow
      .filter(
        (flow) =>
          flow.proto === protocol && flow.port <= port && port <= (flow.last_port ?? flow.port),
      )
      .map(({ cidr }) => firstOf(cidr)),
  ];
}

const onePerFamily = (networks: readonly string[]): readonly string[] =>
  [false, true].flatMap((v6) => {
    const found = networks.find((network) => isV6(network) === v6);
    return found === undefined ? [] : [firstOf(found)];
  });

function firstOf(network: string): string {
  const { family, first } = requireNetwork(network);
  return formatAddress(family, first);
}

const concerns = (rule: Protocol, protocol: "tcp" | "udp", port: number): boolean =>
  portsOf(rule).some((own) => own.protocol === protocol && own.from <= port && port <= own.to);

/** Flows that would be cut, by what they have in common. @param processOf name of who listens on a port of this host */
export function describeFlows(
  flows: readonly CutFlow[],
  processOf: (protocol: "tcp" | "udp", port: number) => string | null,
): readonly FlowOutlook[] {
  const alike = Map.groupBy(flows, (cut) =>
    [cut.direction, cut.flow.protocol, String(cut.port).padStart(5, "0"), cut.row ?? ""].join(" "),
  );
  return [...alike]
    .toSorted(([a], [b]) => compareText(a, b))
    .flatMap(([, group]) => {
      const [first] = group;
      if (first === undefined) return [];
      const { direction, port, verdict, row } = first;
      const { protocol } = first.flow;
      return {
        protocol,
        direction,
        port,
        process: direction === "in" ? processOf(protocol, port) : null,
        peers: [...new Set(group.map(({ peer }) => peer))].toSorted(compareText),
        flows: group.length,
        verdict,
        row,
      };
    });
}
