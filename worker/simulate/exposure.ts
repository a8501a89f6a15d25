/**
 * What a ruleset opens on the host itself, and to how much of the world. Counts only what its rules accept, in any
 * order: a rule that a drop above makes moot counts as well, because a guard that reasons like a simulator can be
 * argued with. Address space is counted rather than compared with `any`, so that "everybody" cannot be said in halves.
 */
import { knownNetwork } from "#schema/address.ts";
import { compareText } from "#schema/order.ts";
import type { Protocol, Rule, Ruleset } from "#schema/ruleset.ts";

type Transport = "tcp" | "udp";
const transports: readonly Transport[] = ["tcp", "udp"];
const portMax = 65_535;

/**
 * Shares of the address space from which on it is everybody: a sixteenth of IPv4 (all private networks are a 240th),
 * a sixty-fourth of IPv6 (an eighth of what is routed on the internet; unique local addresses are a 128th).
 */
const everybody = { v4: 1 / 16, v6: 1 / 64 } as const;

/** Ports from `from` to `to`, both inclusive, and the rows that open them to everybody, sorted. */
interface OpenPorts {
  readonly transport: Transport;
  readonly from: number;
  readonly to: number;
  readonly rows: readonly string[];
}

/** What the host scope accepts from everybody: tcp before udp, ports ascending, no port twice in one transport. */
export function openToAll(ruleset: Ruleset): readonly OpenPorts[] {
  const accepting = ruleset.rules.filter(
    (rule) => rule.scope === "host" && rule.direction === "in" && rule.verdict === "accept",
  );
  // Established traffic was begun by this host; a rule for it opens nothing.
  const opening = accepting.filter((rule) => rule.state !== "established");
  const networks = networksOf(ruleset);
  return transports.flatMap((transport) => openPorts(opening, transport, networks));
}

/** Source of a rule as the elements it stands for; null for any. */
type Sources = (rule: Rule) => readonly string[] | null;

function networksOf({ sets, classes }: Ruleset): Sources {
  const bySet = new Map(sets.map((set) => [set.name, set.elements]));
  const byMap = new Map(classes.map((map) => [map.name, map.elements]));
  return ({ source }) => {
    switch (source.kind) {
      case "any":
        return null;
      case "set":
        return bySet.get(source.set) ?? [];
      case "class":
        return (byMap.get(source.map) ?? []).filter((e) => e.class === source.class).map((e) => e.address);
    }
  };
}

function openPorts(rules: readonly Rule[], transport: Transport, sources: Sources): readonly OpenPorts[] {
  const spans = rules.flatMap((rule) =>
    rangesOf(rule.protocol, transport).map((range) => ({ ...range, rule })),
  );
  // Between two edges every port is open to the same sources, so one answer does for all of them.
  const edges = [...new Set(spans.flatMap(({ from, to }) => [from, to + 1]))].toSorted((a, b) => a - b);
  return edges.flatMap((from, i) => {
    const to = (edges[i + 1] ?? from) - 1;
    const covering = spans.filter((span) => span.from <= from && span.to >= to).map(({ rule }) => rule);
    if (to < from || reachOf(covering, sources) < 1) return [];
    const rows = [...new Set(blamed(covering, sources).map(({ row }) => row))].sort(compareText);
    return [{ transport, from, to, rows }];
  });
}

function rangesOf(protocol: Protocol, transport: Transport): readonly { from: number; to: number }[] {
  if (protocol.kind === "any") return [{ from: 1, to: portMax }];
  if (protocol.kind !== transport) return [];
  return protocol.ports.kind === "any" ? [{ from: 1, to: portMax }] : protocol.ports.ranges;
}

/** Rules without which it would not be everybody: those that are enough alone, else the widest ones together. */
function blamed(rules: readonly Rule[], sources: Sources): readonly Rule[] {
  const alone = rules.filter((rule) => reachOf([rule], sources) >= 1);
  if (alone.length > 0) return alone;
  const widest = rules
    .map((rule) => ({ rule, reach: reachOf([rule], sources) }))
    .toSorted((a, b) => b.reach - a.reach)
    .map(({ rule }) => rule);
  const enough = widest.findIndex((_, i) => reachOf(widest.slice(0, i + 1), sources) >= 1);
  return widest.slice(0, enough + 1);
}

/** How much of everybody the sources are together, in the family where they are most; 1 is everybody. */
function reachOf(rules: readonly Rule[], sources: Sources): number {
  const elements = new Set<string>();
  for (const rule of rules) {
    const own = sources(rule);
    if (own === null) return Infinity;
    for (const element of own) elements.add(element);
  }
  const share = { v4: 0, v6: 0 };
  for (const element of elements) {
    const { family, prefix } = knownNetwork(element);
    share[family] += 2 ** -prefix;
  }
  return Math.max(share.v4 / everybody.v4, share.v6 / everybody.v6);
}
