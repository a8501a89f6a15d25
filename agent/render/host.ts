/**
 * The host scope as input and output chains: what always passes stands first, and first of that the guard's management
 * plane, so that no rule of a bundle can come before it (law 3). The steps are those of #schema/always.ts.
 */
import { type Always, always } from "#schema/always.ts";
import type { Guard } from "#schema/guard.ts";
import { judgedDirections, type Ruleset, type Scope } from "#schema/ruleset.ts";
import { judge, rulesOf } from "./classes.ts";
import { line, type Match, match } from "./line.ts";
import { saddr } from "./match.ts";
import type { Chain, Fragment, Hook, Line } from "./program.ts";
import { interfaceName, join, network, nft, oneOf, word } from "./quote.ts";
import { familyOf, setKinds } from "./sets.ts";

type HostDirection = "in" | "out";
const hooks: Readonly<Record<HostDirection, Hook>> = {
  in: { hook: "input", policy: "drop" },
  out: { hook: "output", policy: "accept" },
};

const final: Line = line([], null, { kind: "drop" });

export function hostJudging(ruleset: Ruleset, guard: Guard): Pick<Fragment, "chains" | "maps"> {
  const scope = ruleset.scopes.find((candidate) => candidate.kind === "host");
  if (scope === undefined) return { chains: [], maps: [] };
  const parts = (["in", "out"] as const)
    .filter((direction) => judgedDirections(ruleset, scope).includes(direction))
    .map((direction) => judgeHost(ruleset, scope, direction, guard));
  return { chains: parts.flatMap((part) => part.chains), maps: parts.flatMap((part) => part.maps) };
}

function judgeHost(
  ruleset: Ruleset,
  scope: Scope,
  direction: HostDirection,
  guard: Guard,
): Pick<Fragment, "chains" | "maps"> {
  const context = { scope, sets: setKinds(ruleset), accepting: { kind: "accept" } } as const;
  const { lines, chains, maps } = judge(ruleset, rulesOf(ruleset, "host", direction), direction, context);
  return { chains: [...chains, hookChain(direction, guard, lines)], maps };
}

const hookChain = (direction: HostDirection, guard: Guard, lines: readonly Line[]): Chain => ({
  name: hooks[direction].hook,
  hook: hooks[direction],
  lines: [...always[direction].flatMap((step) => alwaysLines(step, direction, guard)), ...lines, final],
});

/** Nothing comes in but what always passes, nothing is forwarded; what goes out is left alone. */
export const closedChains = (guard: Guard): readonly Chain[] => [
  hookChain("in", guard, []),
  { name: "forward", hook: { hook: "forward", policy: "accept" }, lines: [final] },
];

function alwaysLines(step: Always, direction: HostDirection, guard: Guard): readonly Line[] {
  switch (step.kind) {
    case "loopback":
      return [decide([match(direction === "in" ? nft`iif "lo"` : nft`oif "lo"`)], step)];
    case "management":
      return managementMatches(guard).map((matches) => decide(matches, step));
    case "state":
      return [decide([match(nft`ct state ${join(step.states.map(word), ",")}`)], step)];
    case "icmp": {
      const types = oneOf(step.types.map((type) => word(type.name)));
      return [
        decide([match(step.family === "v4" ? nft`icmp type ${types}` : nft`icmpv6 type ${types}`)], step),
      ];
    }
    case "dhcp":
      return [decide(dhcpMatches(step), step)];
  }
}

const decide = (matches: readonly Match[], step: Always): Line => line(matches, null, { kind: step.verdict });

function managementMatches({ management }: Guard): readonly (readonly Match[])[] {
  const interfaces = management.interfaces.map(interfaceName);
  const byInterface = interfaces.length === 0 ? [] : [[match(nft`iifname ${oneOf(interfaces)}`)]];
  const flows = management.allow.map(({ cidr, proto, port, last_port: last }) => {
    const ports = last === undefined ? nft`${port}` : nft`${port}-${last}`;
    return [match(nft`${saddr[familyOf(cidr)]} ${network(cidr)} ${word(proto)} dport ${ports}`)];
  });
  return [...byInterface, ...flows];
}

function dhcpMatches(step: Extract<Always, { readonly kind: "dhcp" }>): readonly Match[] {
  const family = step.family === "v4" ? nft`meta nfproto ipv4` : nft`meta nfproto ipv6`;
  const source = step.source === null ? family : nft`${saddr[step.family]} ${network(step.source)}`;
  return [match(nft`${source} udp sport ${step.sourcePort} udp dport ${step.destinationPort}`)];
}
