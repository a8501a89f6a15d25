/**
 * One rule as one line that a network person reads: `accept tcp 443 in from zone lan (services/proxy#1f…)`. Every
 * preview says it with this function. Names of sets and classes are read back as DESIGN §12 encodes them; one that is
 * not of that form is shown as it is. A line says every field: what the compiler derives from others is left out where
 * it is as the compiler derives it, and a field that is added to a rule does not compile before it is said here.
 */
import { encodeName } from "#schema/names.ts";
import type {
  Destination,
  IcmpTypes,
  NamedSet,
  Ports,
  Protocol,
  Rule,
  Scope,
  Source,
} from "#schema/ruleset.ts";

/** What a line says of each field, in the order of the line. */
type FieldTexts<T> = Readonly<Record<keyof T, string | undefined>>;

const lineOf = (parts: Readonly<Record<string, string | undefined>>): string =>
  Object.values(parts)
    .filter((part) => part !== undefined)
    .join(" ");

export const describeRule = (rule: Rule): string => lineOf(partsOf(rule));

function partsOf(rule: Rule): FieldTexts<Rule> {
  const { arrives, counter, destination, expires, from, layer, rate, row, scope, source } = rule;
  return {
    verdict: rule.verdict,
    section:
      rule.section === (rule.verdict === "accept" ? "grant" : "end") ? undefined : rule.section,
    layer: layer === "l3" ? undefined : layer,
    protocol: formatProtocol(rule.protocol),
    direction: rule.direction,
    arrives: arrives === null ? undefined : `by ${arrives.join(",")}`,
    scope: scope === "host" ? undefined : `on ${scope.replace("/", " ")}`,
    source: `from ${formatSource(source)}`,
    destination: formatDestination(destination),
    state: rule.state === "any" ? undefined : `state ${rule.state}`,
    rate: rate === null ? undefined : `at ${rate.newPerSecond} new a second, burst ${rate.burst}`,
    log: rule.log ? "logged" : undefined,
    from: from === null ? undefined : `since ${formatTime(from)}`,
    expires: expires === null ? undefined : `until ${formatTime(expires)}`,
    row: `(${row})`,
    counter: counter === `r_${encodeName(row)}` ? undefined : `counted as ${counter}`,
  };
}

function formatDestination(destination: Destination): string | undefined {
  switch (destination.kind) {
    case "any":
      return undefined;
    case "source-subnet":
      return "to the source's own subnet";
    case "set":
    case "set-except":
    case "not-set":
    case "own":
      return `to ${formatEnd(destination)}`;
  }
}

/** One end that is what it says by itself. */
export function formatEnd(
  end: Exclude<Source | Destination, { readonly kind: "class" | "source-subnet" }>,
): string {
  switch (end.kind) {
    case "any":
      return end.kind;
    case "set":
      return formatName(end.set);
    case "set-except":
      return `${formatName(end.set)} except ${formatName(end.except)}`;
    case "not-set":
      return `all but ${formatName(end.set)}`;
    case "own":
      return "its own addresses";
  }
}

function formatSource(source: Source): string {
  switch (source.kind) {
    case "any":
    case "set":
    case "set-except":
    case "not-set":
    case "own":
      return formatEnd(source);
    case "class": {
      const overlay = /^k_(.*?)_2f/.exec(source.class)?.[1];
      const usual = source.map === `m_${overlay ?? ""}`;
      return usual
        ? formatName(source.class)
        : `${formatName(source.class)} of ${formatName(source.map)}`;
    }
  }
}

/** What a scope is about, as one line: `overlay office by tun0,tun1 for 10.8.0.0/24`. */
export function describeScope(scope: Scope): string {
  switch (scope.kind) {
    case "host":
      return lineOf({ kind: "host" } satisfies FieldTexts<typeof scope>);
    case "overlay":
      return lineOf({
        kind: scope.kind,
        name: scope.name,
        interfaces: `by ${scope.interfaces.join(",")}`,
        subnets: `for ${scope.subnets.join(",")}`,
      } satisfies FieldTexts<typeof scope>);
    case "vnic":
      return lineOf({
        kind: scope.kind,
        name: scope.name,
        device: `by ${scope.device}`,
        bridge: scope.bridge === null ? "routed" : `on ${scope.bridge}`,
        mac: scope.mac,
        addresses: `for ${scope.addresses.join(",")}`,
        mode: scope.mode,
      } satisfies FieldTexts<typeof scope>);
    case "network":
      return lineOf({
        kind: scope.kind,
        name: scope.name,
        bridge: `on ${scope.bridge}`,
        subnets: `for ${scope.subnets.join(",")}`,
        inside: scope.inside,
        egress: `egress ${scope.egress}`,
      } satisfies FieldTexts<typeof scope>);
    case "zone-pair":
      return lineOf({
        kind: scope.kind,
        from: `from ${scope.from}`,
        to: `to ${scope.to}`,
        interfaces: `by ${scope.interfaces.from.join(",")} and ${scope.interfaces.to.join(",")}`,
      } satisfies FieldTexts<typeof scope>);
  }
}

function formatProtocol(protocol: Protocol): string {
  switch (protocol.kind) {
    case "any":
    case "arp":
      return protocol.kind;
    case "icmp":
      return protocol.types === null
        ? protocol.kind
        : `${protocol.kind} type ${typesText(protocol.types)}`;
    case "tcp":
    case "udp":
    case "sctp": {
      const { kind, ports, sourcePorts } = protocol;
      return lineOf({
        kind,
        ports: ports.kind === "any" ? undefined : portsText(ports),
        sourcePorts: sourcePorts.kind === "any" ? undefined : `from port ${portsText(sourcePorts)}`,
      });
    }
    case "ip":
      return `protocol ${protocol.number}`;
    case "nd":
      return protocol.what;
    case "dhcp":
      return `dhcp of a ${protocol.side}`;
  }
}

/** `v4:8 v6:128`. */
const typesText = ({ v4, v6 }: IcmpTypes): string =>
  [v4.length === 0 ? [] : [`v4:${v4.join(",")}`], v6.length === 0 ? [] : [`v6:${v6.join(",")}`]]
    .flat()
    .join(" ");

const portsText = ({ ranges }: Extract<Ports, { readonly kind: "ranges" }>): string =>
  ranges.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).join(",");

const prefixes = {
  n_zone_: "zone ",
  n_cidr_: "",
  h_role_: "role ",
  h_host_: "host ",
  g_: "group ",
  k_: "group ",
  m_: "groups of overlay ",
} as const;

/** What the compiler makes of a set with such a name; undefined where the name says nothing. */
export function findUsualKind(name: string): NamedSet["kind"] | undefined {
  const kinds = { n_: "networks", h_: "hosts", g_: "addresses" } as const;
  const [, kind] = Object.entries(kinds).find(([prefix]) => name.startsWith(prefix)) ?? [];
  return kind;
}

/** What a set, class or class map is named after, such as `zone lan`. Two names of one kind never read the same. */
export function formatName(name: string): string {
  for (const [prefix, what] of Object.entries(prefixes))
    if (name.startsWith(prefix)) {
      const decoded = decodeName(name.slice(prefix.length));
      return prefix + encodeName(decoded) === name ? what + decoded : name;
    }
  return name;
}

/** The inverse of the compiler's encoding: `__` is `_`, `_2e` is `.`. */
const decodeName = (encoded: string): string =>
  encoded.replace(/__|_([0-9a-f]{2})/g, (_, code: string | undefined) =>
    code === undefined ? "_" : String.fromCharCode(Number.parseInt(code, 16)),
  );

/** UTC, as catalogs write it; by arithmetic, because a pure room has no `Date`. Takes Unix seconds. */
export function formatTime(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  // Years that begin in March, counted from 0000-03-01: the leap day is the last of its year.
  const since = days + 719_468;
  const era = Math.floor(since / 146_097);
  const ofEra = since - era * 146_097;
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) /
      365,
  );
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const march = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * march + 2) / 5) + 1;
  const month = march < 10 ? march + 3 : march - 9;
  const date = [year + era * 400 + (month <= 2 ? 1 : 0), two(month), two(day)].join("-");
  const rest = seconds - days * 86_400;
  return `${date}T${[Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60].map(two).join(":")}Z`;
}

const two = (value: number): string => String(value).padStart(2, "0");
