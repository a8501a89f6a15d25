/**
 * How many elements a kernel holds of a ruleset, whoever renders it: members of sets, subnets (as the source's own, as
 * their overlay's, and as those of all), ranges of ports, hosts
 * multiplied by ports where one look-up does for both (schema/ruleset.ts, `hosts`), and a class map's members for each
 * look-up of a class. Never too low: test/property/exposure.test.ts holds it against rendered programs.
 */
import { type Rule, type Ruleset, scopeId } from "#schema/ruleset.ts";

export function kernelElements(ruleset: Ruleset): number {
  const { sets, classes, scopes, rules } = ruleset;
  const hosts = new Map(
    sets.map(({ name, kind, elements }) => [name, kind === "hosts" ? elements.length : 0]),
  );
  const members = sets.reduce((sum, { elements }) => sum + elements.length, 0);
  const subnets = scopes.reduce(
    (sum, scope) => sum + (scope.kind === "overlay" ? 3 * scope.subnets.length + scope.interfaces.length : 0),
    0,
  );
  const ports = rules.reduce((sum, rule) => sum + portsOf(rule) * (1 + productOf(rule, hosts)), 0);
  const sizes = new Map(classes.map(({ name, elements }) => [name, elements.length]));
  const classed = lookUps(rules).reduce((sum, map) => sum + (sizes.get(map) ?? 0), 0);
  return members + subnets + ports + classed;
}

/**
 * How many rules a kernel holds of them: a rule about the source's own subnet is one for each length of prefix among
 * the subnets of its scope, which are two, of IPv4 and of IPv6, where people write them.
 */
export function kernelRules({ scopes, rules }: Ruleset): number {
  const lengths = new Map(
    scopes.map((scope) => [
      scopeId(scope),
      scope.kind === "overlay" ? new Set(scope.subnets.map(lengthOf)).size : 0,
    ]),
  );
  return rules.reduce(
    (sum, { scope, destination }) =>
      sum + (destination.kind === "source-subnet" ? Math.max(1, (lengths.get(scope) ?? 0) / 2) : 1),
    0,
  );
}

const lengthOf = (subnet: string): string =>
  `${subnet.includes(":") ? "v6" : "v4"}${subnet.slice(subnet.indexOf("/"))}`;

const portsOf = ({ protocol }: Rule): number => {
  if (protocol.kind === "any" || protocol.kind === "icmp" || protocol.ports.kind === "any") return 0;
  return protocol.ports.ranges.length;
};

const productOf = ({ scope, source }: Rule, hosts: ReadonlyMap<string, number>): number =>
  scope === "host" && source.kind === "set" ? (hosts.get(source.set) ?? 0) : 0;

/** The class maps of consecutive rules, once for each run of rules of one map in one scope and direction. */
function lookUps(rules: readonly Rule[]): readonly string[] {
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
