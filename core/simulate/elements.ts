/**
 * How much a kernel holds of a ruleset, whoever renders it. Never too low: test/property/exposure.test.ts holds both
 * numbers against rendered programs. Pure.
 */
import { type Rule, type Ruleset, type Scope, scopeId, listEndSets } from "#schema/ruleset.ts";

/** How often a device of an overlay, and an overlay itself, stands in rules about all that comes and goes by it. */
const timesJudged = 16;

/**
 * Elements: members of sets, subnets (as the source's own, as their overlay's, and as those of all), devices and ranges
 * of ports for each rule of the kernel that names them, hosts multiplied by ports where one look-up does for both
 * (schema/ruleset.ts, `hosts`), and a class map's members for each look-up of a class.
 */
export function countKernelElements(ruleset: Ruleset): number {
  const { sets, classes, scopes, rules } = ruleset;
  const hosts = new Map(
    sets.map(({ name, kind, elements }) => [name, kind === "hosts" ? elements.length : 0]),
  );
  const lengths = lengthsOf(scopes);
  const members = sets.reduce((sum, { elements }) => sum + elements.length, 0);
  const subnets = scopes.reduce(
    (sum, scope) =>
      sum +
      (scope.kind === "overlay"
        ? 3 * scope.subnets.length + timesJudged * (1 + scope.interfaces.length)
        : 0),
    0,
  );
  const ports = rules.reduce(
    (sum, rule) =>
      sum + portsOf(rule) * Math.max(linesOf(rule, lengths), 1 + productOf(rule, hosts)),
    0,
  );
  const own = new Map(sets.map(({ name, elements }) => [name, elements.length]));
  const sizes = new Map(
    classes.map((map) => [
      map.name,
      map.classes.reduce((sum, { set }) => sum + (own.get(set) ?? 0), 0),
    ]),
  );
  const classed = listClassLookups(rules).reduce((sum, map) => sum + (sizes.get(map) ?? 0), 0);
  return members + subnets + ports + classed;
}

/**
 * Rules: one of each, in two families. One about the source's own subnet is many: one for each length of prefix among the
 * subnets of its scope, which are two, of IPv4 and of IPv6, where people write them. So is one that lets ports of the host
 * be reached: each is looked up by itself. Each length of an overlay's subnets has a set and a rule besides.
 */
export function countKernelRules({ scopes, rules }: Ruleset): number {
  const lengths = lengthsOf(scopes);
  const own = rules.reduce(
    (sum, rule) => sum + Math.max(portChains(rule), linesOf(rule, lengths) / 2, 1),
    0,
  );
  return [...lengths.values()].reduce((sum, each) => sum + each, own);
}

type Lengths = ReadonlyMap<string, number>;

/** How many lengths of prefix the subnets of each overlay have. */
const lengthsOf = (scopes: readonly Scope[]): Lengths =>
  new Map(
    scopes.flatMap((scope) =>
      scope.kind === "overlay" ? [[scopeId(scope), new Set(scope.subnets.map(lengthOf)).size]] : [],
    ),
  );

const lengthOf = (subnet: string): string =>
  `${subnet.includes(":") ? "v6" : "v4"}${subnet.slice(subnet.indexOf("/"))}`;

/** Rules of the kernel that say it. */
const linesOf = ({ scope, source, destination }: Rule, lengths: Lengths): number => {
  if (destination.kind === "source-subnet") return Math.max(1, lengths.get(scope) ?? 0);
  return [source, destination].some((end) => listEndSets(end).length > 0) ? 2 : 1;
};

const portChains = (rule: Rule): number =>
  rule.scope === "host" && rule.verdict === "accept" ? portsOf(rule) : 0;

/** Ranges of ports and types, as sets of one rule hold them; and the ways by which packets arrive. */
const portsOf = ({ protocol, arrives }: Rule): number =>
  (arrives?.length ?? 0) + rangesOf(protocol);

function rangesOf(protocol: Rule["protocol"]): number {
  switch (protocol.kind) {
    case "any":
    case "ip":
    case "arp":
    case "nd":
      return 0;
    case "dhcp":
      return 2;
    case "icmp":
      return protocol.types === null ? 0 : protocol.types.v4.length + protocol.types.v6.length;
    case "tcp":
    case "udp":
    case "sctp":
      return [protocol.ports, protocol.sourcePorts].reduce(
        (sum, ports) => sum + (ports.kind === "any" ? 0 : ports.ranges.length),
        0,
      );
  }
}

const productOf = ({ scope, source }: Rule, hosts: ReadonlyMap<string, number>): number =>
  scope === "host" && source.kind === "set" ? (hosts.get(source.set) ?? 0) : 0;

/** The class maps of consecutive rules, once for each run of rules of one map in one scope and direction. */
function listClassLookups(rules: readonly Rule[]): readonly string[] {
  const last = new Map<string, string | null>();
  const found: string[] = [];
  for (const { scope, direction, source } of rules) {
    const place = `${scope} ${direction}`;
    const map = source.kind === "class" ? source.map : null;
    if (map !== null && last.get(place) !== map) found.push(map);
    last.set(place, map);
  }
  return found;
}
