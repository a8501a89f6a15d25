/**
 * The host scope as input and output chains: what always passes stands first, and first of that the guard's management
 * plane and its answers, so that no rule of a bundle can come before them (law 3). The steps are those of #schema/always.ts. A guard that
 * narrows output has an output chain whatever a bundle says, and the bundle's rules see only what that lets through.
 */
import type { Family } from "#schema/address.ts";
import { type Always, always } from "#schema/always.ts";
import type { Guard, GuardFlow } from "#schema/guard.ts";
import { listRuledDirections, type Ruleset, type Scope } from "#schema/ruleset.ts";
import { renderRules } from "./classes.ts";
import { makeLine, type Match, match } from "./line.ts";
import { daddr, saddr } from "./match.ts";
import type { Chain, Fragment, Hook, Line } from "./program.ts";
import {
  quoteInterface,
  join,
  quoteNetwork,
  quoteNft,
  type NftText,
  oneOf,
  quoteWord,
} from "./quote.ts";
import type { RulesetIndex } from "./ruleset-index.ts";
import { familyOf } from "./sets.ts";
import { renderSpoofed } from "./spoofed.ts";

type HostDirection = "in" | "out";
const hooks: Readonly<Record<HostDirection, Hook>> = {
  in: { hook: "input", policy: "drop" },
  out: { hook: "output", policy: "accept" },
};

const final: Line = makeLine([], null, { kind: "drop" });

/** A chain for each direction that is judged, and what those need. */
export function renderHost(
  ruleset: Ruleset,
  index: RulesetIndex,
  guard: Guard,
  since: number | null,
): Pick<Fragment, "chains" | "maps"> {
  const scope = ruleset.scopes.find((candidate) => candidate.kind === "host");
  if (scope === undefined)
    return { chains: [...nothingIn(guard), ...leftToGuard(guard)], maps: [] };
  const judged = listRuledDirections(ruleset, scope);
  const parts = (["in", "out"] as const)
    .filter((direction) => judged.includes(direction))
    .map((direction) => renderHostDirection(index, ruleset.scopes, scope, direction, guard, since));
  return {
    chains: [
      ...parts.flatMap((part) => part.chains),
      ...(judged.includes("out") ? [] : leftToGuard(guard)),
    ],
    maps: parts.flatMap((part) => part.maps),
  };
}

function renderHostDirection(
  index: RulesetIndex,
  scopes: readonly Scope[],
  scope: Scope,
  direction: HostDirection,
  guard: Guard,
  since: number | null,
): Pick<Fragment, "chains" | "maps"> {
  const context = { scope, index, accepting: { kind: "accept" }, since } as const;
  const { lines, chains, maps } = renderRules(index.rules("host", direction), direction, context);
  const spoofed = direction === "in" ? renderSpoofed(scopes, "input") : [];
  return {
    chains: [...chains, ...makeHookChains(direction, guard, [...spoofed, ...lines, final])],
    maps,
  };
}

/** Where a packet goes on that the guard lets this host begin. */
const begun = "host_out";

/** @param rest what judges a packet that no step before it has decided */
function makeHookChains(
  direction: HostDirection,
  guard: Guard,
  rest: readonly Line[],
): readonly Chain[] {
  const steps = always[direction].flatMap((step) => renderStep(step, direction, guard));
  const base = { name: hooks[direction].hook, hook: hooks[direction] };
  return direction === "out" && guard.output !== undefined
    ? [
        { ...base, lines: steps },
        { name: begun, hook: null, lines: rest },
      ]
    : [{ ...base, lines: [...steps, ...rest] }];
}

/** Input where no rule is about it: a ruleset without a scope for the host opens nothing. */
const nothingIn = (guard: Guard): readonly Chain[] => makeHookChains("in", guard, [final]);

/** Output where no rule is about it. */
const leftToGuard = (guard: Guard): readonly Chain[] =>
  guard.output === undefined
    ? []
    : makeHookChains("out", guard, [makeLine([], null, { kind: "accept" })]);

/** Nothing comes in but what always passes, nothing is forwarded; what goes out is the guard's to say. */
export const closedChains = (guard: Guard): readonly Chain[] => [
  ...nothingIn(guard),
  { name: "forward", hook: { hook: "forward", policy: "accept" }, lines: [final] },
  ...leftToGuard(guard),
];

function renderStep(step: Always, direction: HostDirection, guard: Guard): readonly Line[] {
  switch (step.kind) {
    case "loopback":
      return [decide([match(direction === "in" ? quoteNft`iif "lo"` : quoteNft`oif "lo"`)], step)];
    case "management":
      return matchManagement(guard, direction).map((matches) => decide(matches, step));
    case "narrowing":
      return renderNarrowing(step, guard);
    case "state":
      return [
        makeLine(
          [match(quoteNft`ct state ${join(step.states.map(quoteWord), ",")}`)],
          step.counter,
          {
            kind: step.verdict,
          },
        ),
      ];
    case "icmp": {
      const types = oneOf(step.types.map((type) => quoteWord(type.name)));
      const icmp = match(
        step.family === "v4" ? quoteNft`icmp type ${types}` : quoteNft`icmpv6 type ${types}`,
      );
      return [decide([...ends(step.family, step.source, null), icmp], step)];
    }
    case "igmp":
      return [decide(igmpMatches(step), step)];
    case "dhcp":
      return [decide(matchDhcp(step), step)];
  }
}

const decide = (matches: readonly Match[], step: Always): Line =>
  makeLine(matches, null, { kind: step.verdict });

/** What the guard allows goes on, everything else ends here. */
function renderNarrowing(step: Always, guard: Guard): readonly Line[] {
  if (guard.output === undefined) return [];
  const allowed = guard.output.allow.map((flow) => [matchFlow(flow, daddr, quoteNft`dport`)]);
  return [
    ...allowed.map((matches) => makeLine(matches, null, { kind: "goto", chain: begun })),
    decide([], step),
  ];
}

/** The management plane as it comes in, or its answers as they go out. */
function matchManagement(
  { management }: Guard,
  direction: HostDirection,
): readonly (readonly Match[])[] {
  const interfaces = management.interfaces.map(quoteInterface);
  const key = direction === "in" ? quoteNft`iifname` : quoteNft`oifname`;
  const byInterface =
    interfaces.length === 0 ? [] : [[match(quoteNft`${key} ${oneOf(interfaces)}`)]];
  const flows = management.allow.map((flow) => [
    direction === "in"
      ? matchFlow(flow, saddr, quoteNft`dport`)
      : matchFlow(flow, daddr, quoteNft`sport`),
  ]);
  return [...byInterface, ...flows];
}

function matchFlow(flow: GuardFlow, peer: Readonly<Record<Family, NftText>>, port: NftText): Match {
  const { cidr, proto, port: first, last_port: last } = flow;
  const ports = last === undefined ? quoteNft`${first}` : quoteNft`${first}-${last}`;
  return match(
    quoteNft`${peer[familyOf(cidr)]} ${quoteNetwork(cidr)} ${quoteWord(proto)} ${port} ${ports}`,
  );
}

function matchDhcp(step: Extract<Always, { readonly kind: "dhcp" }>): readonly Match[] {
  const known = ends(step.family, step.source, step.destination);
  const family = match(
    step.family === "v4" ? quoteNft`meta nfproto ipv4` : quoteNft`meta nfproto ipv6`,
  );
  const from = step.sourcePort === null ? [] : [match(quoteNft`udp sport ${step.sourcePort}`)];
  return [
    ...(known.length === 0 ? [family] : known),
    ...from,
    match(quoteNft`udp dport ${step.destinationPort}`),
  ];
}

const igmpMatches = (step: Extract<Always, { readonly kind: "igmp" }>): readonly Match[] => [
  match(quoteNft`ip protocol igmp`),
  ...ends("v4", null, step.destination),
  match(quoteNft`ip ttl ${step.ttl}`),
];

/** The networks of source and destination, where a step names them. */
const ends = (
  family: Family,
  source: string | null,
  destination: string | null,
): readonly Match[] => [
  ...(source === null ? [] : [match(quoteNft`${saddr[family]} ${quoteNetwork(source)}`)]),
  ...(destination === null ? [] : [match(quoteNft`${daddr[family]} ${quoteNetwork(destination)}`)]),
];
