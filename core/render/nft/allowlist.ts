/**
 * A run of accept rules, such as a host's service catalog, as look-ups whose cost does not grow with the number of
 * rules. Exact ports from `hosts` become one hash, address . protocol . port → chain; other exact ports one hash,
 * protocol . port → chain of that port with a line for each source. Everything else (port ranges, rules that end,
 * other matches) stays a line in order, after both.
 *
 * Accepts commute for the verdict but not for the row that is counted, so each packet must still meet its rules in the
 * order of the ruleset: a rule goes to the first step that comes no earlier than those of the rules before it on a port
 * of its own. That depends on rules alone: a new member or host changes elements and nothing else.
 */
import { dhcpPorts, type NamedSet, type Rule } from "#schema/ruleset.ts";
import { dispatch, makeLine } from "./line.ts";
import { type Context, renderRule, saddr } from "./match.ts";
import { addressTypes, type Chain, families, type Fragment, type KernelMap } from "./program.ts";
import { quoteNetwork, quoteNft, type NftText, quoteWord } from "./quote.ts";
import { familyDigits, familyOf } from "./sets.ts";

/** The steps, in the order in which a packet comes to them. */
const steps = { hosts: 0, ports: 1, line: 2 } as const;
type Step = (typeof steps)[keyof typeof steps];

/** A TCP or UDP rule of exact ports that asks for nothing but its source. */
interface Exact {
  readonly rule: Rule;
  readonly proto: "tcp" | "udp";
  readonly ports: readonly number[];
}

/** What rules of an accept run in host scope need. @param place names the run, unique within the program */
export function renderAllowlist(rules: readonly Rule[], place: string, context: Context): Fragment {
  const placed = assign(rules, context);
  const hosts = renderHostStep(exactAt(placed, steps.hosts), place, context);
  const ports = renderPortStep(exactAt(placed, steps.ports), place, context);
  const rest = placed.filter(({ step }) => step === steps.line);
  return {
    lines: [
      ...hosts.lines,
      ...ports.lines,
      ...rest.flatMap(({ rule }) => renderRule(rule, context)),
    ],
    chains: [...hosts.chains, ...ports.chains],
    maps: [...hosts.maps, ...ports.maps],
  };
}

interface Placed {
  readonly rule: Rule;
  readonly exact: Exact | null;
  readonly step: Step;
}

const exactAt = (placed: readonly Placed[], step: Step): readonly Exact[] =>
  placed.flatMap(({ exact, step: at }) => (exact === null || at !== step ? [] : [exact]));

function assign(rules: readonly Rule[], context: Context): readonly Placed[] {
  const reached = new Map<string, Step>();
  const lines = new LinePorts();
  return rules.map((rule) => {
    const exact = exactOf(rule);
    if (exact === null || lines.meet(exact)) {
      lines.add(rule);
      return { rule, exact, step: steps.line };
    }
    const keys = exact.ports.map((port) => `${exact.proto} ${port}`);
    const own = fromHosts(rule, context) ? steps.hosts : steps.ports;
    const later = keys.some((key) => reached.get(key) === steps.ports) ? steps.ports : own;
    for (const key of keys) reached.set(key, later);
    return { rule, exact, step: later };
  });
}

function exactOf(rule: Rule): Exact | null {
  const { protocol, source, destination } = rule;
  if (protocol.kind !== "tcp" && protocol.kind !== "udp") return null;
  if (protocol.ports.kind === "any" || protocol.sourcePorts.kind !== "any") return null;
  const { ranges } = protocol.ports;
  if (ranges.some(({ from, to }) => from !== to)) return null;
  if (source.kind !== "any" && source.kind !== "set") return null;
  if (destination.kind !== "any" || isConditional(rule)) return null;
  return { rule, proto: protocol.kind, ports: [...new Set(ranges.map(({ from }) => from))] };
}

/** Whether it asks for more than who sends what to whom. */
const isConditional = ({ state, arrives, from, expires, rate, log }: Rule): boolean =>
  state !== "any" || arrives !== null || from !== null || expires !== null || rate !== null || log;

const fromHosts = ({ source }: Rule, context: Context): boolean =>
  source.kind === "set" && context.index.sets.get(source.set)?.kind === "hosts";

/** The ports of rules that became lines: whether some packet may match one of them and another rule, whatever its ends. */
class LinePorts {
  readonly #ports = { tcp: new PortSet(), udp: new PortSet() };

  add({ protocol }: Rule): void {
    switch (protocol.kind) {
      case "icmp":
      case "sctp":
      case "ip":
      case "arp":
      case "nd":
        return;
      case "any":
        this.#ports.tcp.add(0, portMax);
        this.#ports.udp.add(0, portMax);
        return;
      case "dhcp":
        for (const sides of Object.values(dhcpPorts))
          this.#ports.udp.add(sides[protocol.side], sides[protocol.side]);
        return;
      case "tcp":
      case "udp": {
        const ranges =
          protocol.ports.kind === "any" ? [{ from: 0, to: portMax }] : protocol.ports.ranges;
        for (const { from, to } of ranges) this.#ports[protocol.kind].add(from, to);
      }
    }
  }

  meet({ proto, ports }: Exact): boolean {
    return ports.some((port) => this.#ports[proto].has(port));
  }
}

const portMax = 65_535;

/** Ports that only grow, as ranges apart from each other, rising. */
class PortSet {
  readonly #ranges: { readonly from: number; readonly to: number }[] = [];

  has(port: number): boolean {
    const { from = port + 1 } = this.#ranges[this.#firstEndingAt(port)] ?? {};
    return from <= port;
  }

  add(from: number, to: number): void {
    const start = this.#firstEndingAt(from);
    let end = start;
    let [least, most] = [from, to];
    for (
      let range = this.#ranges[end];
      range !== undefined && range.from <= to;
      range = this.#ranges[end]
    ) {
      least = Math.min(least, range.from);
      most = Math.max(most, range.to);
      end += 1;
    }
    this.#ranges.splice(start, end - start, { from: least, to: most });
  }

  /** Index of the first range that ends at `port` or later. */
  #firstEndingAt(port: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.to ?? 0) < port) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** One look-up a family: each host . protocol . port jumps to the chain of the first row that names it. */
function renderHostStep(exacts: readonly Exact[], place: string, context: Context): Fragment {
  if (exacts.length === 0) return { lines: [], chains: [], maps: [] };
  const chainOf = (rule: Rule): string => `row_${place}_${rule.counter}`;
  const first = new Map<
    string,
    { readonly address: string; readonly key: NftText; readonly chain: string }
  >();
  for (const { rule, proto, ports } of exacts)
    for (const address of requireSourceSet(rule, context).elements)
      for (const port of ports) {
        const key = quoteNft`${quoteNetwork(address)} . ${quoteWord(proto)} . ${port}`;
        if (!first.has(key)) first.set(key, { address, key, chain: chainOf(rule) });
      }
  const maps = families.map((family): KernelMap => ({
    name: `hosts${familyDigits[family]}_${place}`,
    type: [addressTypes[family], "inet_proto", "inet_service"],
    elements: [...first.values()].filter(({ address }) => familyOf(address) === family),
  }));
  const counters = new Map(exacts.map(({ rule }) => [chainOf(rule), rule.counter]));
  return {
    lines: families.map((family, i) =>
      dispatch(quoteNft`${saddr[family]} . meta l4proto . th dport`, maps[i]?.name ?? ""),
    ),
    chains: [...counters].map(([name, counter]) => ({
      name,
      hook: null,
      lines: [makeLine([], counter, { kind: "accept" })],
    })),
    maps,
  };
}

/** @throws RangeError for a rule without a declared set; its schema excludes that */
function requireSourceSet({ source }: Rule, { index }: Context): NamedSet {
  const found = source.kind === "set" ? index.sets.get(source.set) : undefined;
  if (found === undefined) throw new RangeError("expected a declared set as source");
  return found;
}

/** One look-up: each protocol . port jumps to its chain, which goes through that port's sources in order. */
function renderPortStep(exacts: readonly Exact[], place: string, context: Context): Fragment {
  const services = Map.groupBy(
    exacts.flatMap(({ rule, proto, ports }) => ports.map((port) => ({ rule, proto, port }))),
    ({ proto, port }) => `${proto}_${port}`,
  );
  if (services.size === 0) return { lines: [], chains: [], maps: [] };
  const map = `ports_${place}`;
  const chains: Chain[] = [];
  const elements = [...services].flatMap(([service, grants]) => {
    const [grant] = grants;
    if (grant === undefined) return [];
    const chain = `${map}_${service}`;
    const lines = grants.flatMap(({ rule }) =>
      renderRule({ ...rule, protocol: { kind: "any" } }, context),
    );
    chains.push({ name: chain, hook: null, lines });
    return [{ key: quoteNft`${quoteWord(grant.proto)} . ${grant.port}`, chain }];
  });
  return {
    lines: [dispatch(quoteNft`meta l4proto . th dport`, map)],
    chains,
    maps: [{ name: map, type: ["inet_proto", "inet_service"], elements }],
  };
}
