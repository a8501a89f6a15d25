/**
 * What listens on this host beside what its ruleset lets in: listeners that no row lets anybody reach, and rows whose
 * service does not answer. Pure. Says it for people and decides nothing: a drop above an accept is not weighed, a
 * management interface declares nothing, and a port forwarded into a container is silent unless something listens here.
 */
import { always } from "#schema/always.ts";
import { compareText } from "#schema/order.ts";
import { portsOf } from "#core/simulate/ports.ts";
import type { Rule, Ruleset } from "#schema/ruleset.ts";
import type { Listening } from "#schema/wire.ts";
import type { Rules } from "#agent/flows/flows.ts";
import type { Listener } from "./listeners.ts";

/** Of each kind, in one report. */
const namedMax = 64;
const addressesMax = 8;

type SilentService = Listening["silent"]["entries"][number];

/** Sorted by protocol and port. */
export interface Unmatched {
  /** Each with every socket that has its protocol and port. */
  readonly undeclared: readonly (readonly Listener[])[];
  readonly silent: readonly SilentService[];
}

/** @param at Unix seconds, for rules that expire. @returns undefined where no host scope is judged */
export function findUnmatched(
  found: readonly Listener[],
  rules: Rules,
  at: number,
): Unmatched | undefined {
  const { ruleset, guard } = rules;
  if (!ruleset.scopes.some(({ kind }) => kind === "host")) return undefined;
  const accepting = listAcceptingRules(ruleset, at);
  const isManaged = ({ protocol, port }: Listener): boolean =>
    guard.management.allow.some(
      (flow) =>
        flow.proto === protocol && flow.port <= port && port <= (flow.last_port ?? flow.port),
    );
  const isDeclared = (listener: Listener): boolean =>
    isManaged(listener) || isDhcp(listener) || accepting.some((rule) => takes(rule, listener));
  const bare = found.filter((listener) => !listener.ephemeral && !isDeclared(listener));
  const byPort = Map.groupBy(bare, ({ protocol, port }) => `${protocol} ${port}`);
  return {
    undeclared: [...byPort.values()].toSorted(([a], [b]) =>
      a === undefined || b === undefined ? 0 : byPlace(a, b),
    ),
    silent: accepting
      .flatMap((rule) => silentOf(rule, found))
      .toSorted((a, b) => byPlace(a, b) || compareText(a.row, b.row)),
  };
}

interface Place {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
}
const byPlace = (a: Place, b: Place): number =>
  compareText(a.protocol, b.protocol) || a.port - b.port;

/** Rules by which somebody may begin to talk to this host now. */
function listAcceptingRules({ rules, sets, classes }: Ruleset, at: number): readonly Rule[] {
  const incoming = rules.filter(({ scope, direction }) => scope === "host" && direction === "in");
  const filled = new Set(sets.flatMap(({ name, elements }) => (elements.length > 0 ? [name] : [])));
  const letsSomebodyIn = ({ source }: Rule): boolean => {
    switch (source.kind) {
      case "any":
      case "not-set":
        return true;
      case "set":
      case "set-except":
        return filled.has(source.set);
      case "class":
        return classes
          .filter(({ name }) => name === source.map)
          .flatMap((map) => map.classes)
          .some(({ name, set }) => name === source.class && filled.has(set));
      case "own":
        return false;
    }
  };
  return incoming.filter(
    (rule) =>
      rule.verdict === "accept" &&
      rule.state !== "established" &&
      (rule.from === null || rule.from <= at) &&
      (rule.expires === null || at < rule.expires) &&
      letsSomebodyIn(rule),
  );
}

const takes = ({ protocol }: Rule, { protocol: wanted, port }: Place): boolean =>
  portsOf(protocol).some((own) => own.protocol === wanted && own.from <= port && port <= own.to);

/** The port of a DHCP client, which every host lets in (schema/always.ts). */
const isDhcp = ({ protocol, port }: Listener): boolean =>
  protocol === "udp" &&
  always.in.some((step) => step.kind === "dhcp" && step.destinationPort === port);

/** Ranges of the rule within which nothing listens; a rule for all ports promises no service. */
function silentOf({ row, protocol }: Rule, found: readonly Listener[]): readonly SilentService[] {
  if ((protocol.kind !== "tcp" && protocol.kind !== "udp") || protocol.ports.kind === "any")
    return [];
  const { kind } = protocol;
  const served = found.filter((listener) => listener.protocol === kind);
  return protocol.ports.ranges
    .filter(({ from, to }) => !served.some(({ port }) => from <= port && port <= to))
    .map(({ from, to }) => ({ protocol: kind, port: from, last_port: to, row }));
}

/** As a report carries it. `names` are processes by inode. */
export function describeListening(
  { undeclared, silent }: Unmatched,
  names: ReadonlyMap<number, string>,
): Listening {
  const entries = undeclared.slice(0, namedMax).flatMap((sockets) => {
    const [first] = sockets;
    if (first === undefined) return [];
    const addresses = sockets.slice(0, addressesMax).map(({ address }) => address);
    const process =
      sockets.map(({ inode }) => names.get(inode)).find((name) => name !== undefined) ?? null;
    return [{ protocol: first.protocol, port: first.port, addresses, process }];
  });
  return {
    undeclared: { entries, more: undeclared.length - entries.length },
    silent: { entries: silent.slice(0, namedMax), more: Math.max(0, silent.length - namedMax) },
  };
}
