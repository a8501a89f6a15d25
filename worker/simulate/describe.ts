/**
 * One rule as one line that a network person reads: `accept tcp 443 in from zone lan (services/proxy#1f…)`. Every
 * preview says it with this function. Names of sets and classes are read back as DESIGN §12 encodes them; one that is
 * not of that form is shown as it is.
 */
import type { Ports, Protocol, Rule } from "#schema/ruleset.ts";

export function describeRule(rule: Rule): string {
  const { destination, source } = rule;
  return [
    rule.verdict,
    protocolText(rule.protocol),
    rule.direction,
    rule.scope === "host" ? undefined : `on ${rule.scope.replace("/", " ")}`,
    `from ${source.kind === "any" ? "any" : nameText(source.kind === "set" ? source.set : source.class)}`,
    destination.kind === "set" ? `to ${nameText(destination.set)}` : undefined,
    destination.kind === "source-subnet" ? "to the source's own subnet" : undefined,
    rule.state === "any" ? undefined : `state ${rule.state}`,
    rule.expires === null ? undefined : `until ${timeText(rule.expires)}`,
    `(${rule.row})`,
  ]
    .filter((part) => part !== undefined)
    .join(" ");
}

function protocolText(protocol: Protocol): string {
  switch (protocol.kind) {
    case "any":
    case "icmp":
      return protocol.kind;
    case "tcp":
    case "udp":
      return protocol.ports.kind === "any" ? protocol.kind : `${protocol.kind} ${portsText(protocol.ports)}`;
  }
}

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

/** What a set, class or class map is named after, such as `zone lan`. */
export function nameText(name: string): string {
  for (const [prefix, what] of Object.entries(prefixes))
    if (name.startsWith(prefix)) return what + decodeName(name.slice(prefix.length));
  return name;
}

/** The inverse of the compiler's encoding: `__` is `_`, `_2e` is `.`. */
const decodeName = (encoded: string): string =>
  encoded.replace(/__|_([0-9a-f]{2})/g, (_, code: string | undefined) =>
    code === undefined ? "_" : String.fromCharCode(Number.parseInt(code, 16)),
  );

/** UTC, as catalogs write it; by arithmetic, because a pure room has no `Date`. Takes Unix seconds. */
function timeText(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  // Years that begin in March, counted from 0000-03-01: the leap day is the last of its year.
  const since = days + 719_468;
  const era = Math.floor(since / 146_097);
  const ofEra = since - era * 146_097;
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
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
