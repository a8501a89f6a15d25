/**
 * Overlay scopes as one forward chain. It judges a packet that came in or leaves by a declared tunnel and leaves every
 * other packet alone.
 *
 * Everything goes forward by `goto` and each judging chain ends in a drop, so no packet falls out of a scope
 * undecided. A packet from one overlay into another passes `out_` of the first, whose accept goes to `o_entering`,
 * and then `in_` of the second: it needs accept from both.
 */
import { encodeName } from "#schema/names.ts";
import {
  type Direction,
  type Ruleset,
  type Scope,
  scopeId,
  type Tally,
  tallies,
} from "#schema/ruleset.ts";
import { renderRules } from "./classes.ts";
import { makeLine, type Match, match } from "./line.ts";
import { type Accepting, type Context, matchPair } from "./match.ts";
import { type Chain, families, type Fragment, type KernelMap, type Line } from "./program.ts";
import { quoteInterface, quoteNft, oneOf } from "./quote.ts";
import type { RulesetIndex } from "./ruleset-index.ts";
import { renderSpoofed } from "./spoofed.ts";

type Overlay = Extract<Scope, { readonly kind: "overlay" }>;

const entering = "o_entering";
/** What an accept means: the last judge lets pass, the first hands on. */
const acceptings: Readonly<Record<Direction, Accepting>> = {
  peer: { kind: "accept" },
  out: { kind: "goto", chain: entering },
  in: { kind: "accept" },
};

export interface Forwarding {
  readonly chains: readonly Chain[];
  readonly maps: readonly KernelMap[];
  readonly counters: readonly string[];
}

/** No overlay, no chain. */
export function renderForwarding(
  ruleset: Ruleset,
  index: RulesetIndex,
  since: number | null,
): Forwarding {
  const overlays = ruleset.scopes.flatMap((scope, at) =>
    scope.kind === "overlay" ? [{ scope, at }] : [],
  );
  if (overlays.length === 0) return { chains: [], maps: [], counters: [] };
  const judged = overlays.flatMap(({ scope, at }) =>
    (["peer", "out", "in"] as const).map((direction) =>
      renderOverlayDirection(index, scope, at, direction, since),
    ),
  );
  const scopes = overlays.map(({ scope }) => scope);
  const forward: Chain = {
    name: "forward",
    hook: { hook: "forward", policy: "accept" },
    lines: [
      ...renderSpoofed(scopes, "forward"),
      ...scopes.map((scope) =>
        makeLine(
          [matchInterfaces("iifname", scope), matchInterfaces("oifname", scope)],
          null,
          to("tally", scope),
        ),
      ),
      ...scopes.map((scope) =>
        tallyLine([matchInterfaces("iifname", scope)], "c_egress", to("out", scope)),
      ),
      ...scopes.map((scope) =>
        tallyLine([matchInterfaces("oifname", scope)], "c_ingress", to("in", scope)),
      ),
    ],
  };
  const enteringChain: Chain = {
    name: entering,
    hook: null,
    lines: [
      ...scopes.map((scope) =>
        tallyLine([matchInterfaces("oifname", scope)], "c_ingress", to("in", scope)),
      ),
      makeLine([], null, { kind: "accept" }),
    ],
  };
  return {
    chains: [
      forward,
      enteringChain,
      ...scopes.map(tallyChain),
      ...judged.flatMap((part) => part.chains),
    ],
    maps: judged.flatMap((part) => part.maps),
    counters: tallies,
  };
}

const chainName = (part: Direction | "tally", overlay: Overlay): string =>
  `${part}_${encodeName(overlay.name)}`;

const to = (part: Direction | "tally", overlay: Overlay) =>
  ({ kind: "goto", chain: chainName(part, overlay) }) as const;

function matchInterfaces(key: "iifname" | "oifname", overlay: Overlay): Match {
  const names = oneOf(overlay.interfaces.map(quoteInterface));
  return match(key === "iifname" ? quoteNft`iifname ${names}` : quoteNft`oifname ${names}`);
}

const tallyLine = (
  matches: readonly Match[],
  tally: Tally,
  decision: Parameters<typeof makeLine>[2],
): Line => makeLine(matches, tally, decision);

/** Counts a peer packet by topology, whatever its verdict will be. */
function tallyChain(overlay: Overlay): Chain {
  const judging = to("peer", overlay);
  const pairs = families.flatMap((family) => matchPair(overlay, family));
  return {
    name: chainName("tally", overlay),
    hook: null,
    lines: [
      ...pairs.map((pair) => tallyLine([pair], "c_same_subnet", judging)),
      tallyLine([], "c_cross_subnet", judging),
    ],
  };
}

function renderOverlayDirection(
  index: RulesetIndex,
  scope: Overlay,
  at: number,
  direction: Direction,
  since: number | null,
): Pick<Fragment, "chains" | "maps"> {
  const context: Context = { scope, index, accepting: acceptings[direction], since };
  const place = `${at}${direction}`;
  const { lines, chains, maps } = renderRules(
    index.rules(scopeId(scope), direction),
    place,
    context,
  );
  const chain: Chain = {
    name: chainName(direction, scope),
    hook: null,
    lines: [...lines, makeLine([], null, { kind: "drop" })],
  };
  return { chains: [...chains, chain], maps };
}
