/**
 * The door of the room: one host's abstract ruleset and its guard become one nftables program. Pure and total: the same
 * input gives the same bytes everywhere, and what nft cannot say exactly is refused whole, never approximated (law 1).
 */
import type { Guard } from "#schema/guard.ts";
import { compareText } from "#schema/order.ts";
import { type Ruleset, scopeId } from "#schema/ruleset.ts";
import { closedChains, renderHost } from "./host.ts";
import { renderForwarding } from "./overlay.ts";
import { skeleton } from "./print.ts";
import type { Chain, Line, Program, Rendered } from "./program.ts";
import { Unsupported } from "./quote.ts";
import { indexOf } from "./ruleset-index.ts";
import { makeKernelSets } from "./sets.ts";
import { makeSubnetSets } from "./spoofed.ts";

export { countOnly, listRefusalCounters } from "./counting.ts";
export { rendererVersion } from "./program.ts";
export type { Inventory, Program, Rendered } from "./program.ts";
export { emptyInventory, inventoryOf } from "./program.ts";
export { makeTransaction } from "./delta.ts";
export { flipNames, isFlipped, stageProgram } from "./flip.ts";
export { elementCount, print, removal, skeleton, transaction } from "./print.ts";

/**
 * Expects a ruleset that its schema has admitted. Of an empty one nothing gets in but what always passes.
 * @param since Unix seconds at which the ruleset was made, where that is known: by a clock that is behind it, what is
 * granted for a while is not granted
 */
export function render(ruleset: Ruleset, guard: Guard, since: number | null = null): Rendered {
  try {
    return { ok: true, program: requirePrintable(programOf(ruleset, guard, since)) };
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    return { ok: false, code: "render_unsupported", message: error.message };
  }
}

/** The closed ruleset: management, replies, ICMP, ND and DHCP come in, nothing is forwarded, output is open or as the guard narrows it. */
export function renderClosed(guard: Guard): Program {
  const chains = closedChains(guard);
  return { backend: "nft", counters: countersOf(chains), sets: [], maps: [], chains };
}

const countersOf = (chains: readonly Chain[], others: readonly string[] = []): readonly string[] =>
  [
    ...new Set([
      ...others,
      ...chains.flatMap(({ lines }) => lines.flatMap(({ counters }) => counters)),
    ]),
  ].sort(compareText);

/** Scopes that this backend has no chains for yet: to leave one out would leave its packets alone. @throws Unsupported */
function refuseScopes({ scopes, rules }: Ruleset): void {
  for (const scope of scopes)
    switch (scope.kind) {
      case "host":
      case "overlay":
        break;
      case "vnic":
      case "network":
      case "zone-pair": {
        const id = scopeId(scope);
        const row = rules.find((rule) => rule.scope === id)?.row ?? id;
        throw new Unsupported(`${row}: nft does not carry out scope ${id} yet`);
      }
    }
}

function programOf(ruleset: Ruleset, guard: Guard, since: number | null): Program {
  refuseScopes(ruleset);
  const index = indexOf(ruleset);
  const forward = renderForwarding(ruleset, index, since);
  const host = renderHost(ruleset, index, guard, since);
  const chains = [...host.chains, ...forward.chains];
  const named = new Set(chains.flatMap((chain) => chain.lines.flatMap(({ sets }) => sets)));
  return {
    backend: "nft",
    counters: countersOf(chains, [
      ...forward.counters,
      ...ruleset.rules.map((rule) => rule.counter),
    ]),
    // A set that became keys of a map is not held twice.
    sets: [...makeKernelSets(ruleset), ...makeSubnetSets(ruleset.scopes)].filter(({ name }) =>
      named.has(name),
    ),
    maps: [...host.maps, ...forward.maps],
    chains,
  };
}

/** The same program without the rules whose grant has ended; itself where none has. @param at Unix seconds */
export function removeEnded(program: Program, at: number): Program {
  const isPast = ({ until }: Line): boolean => until !== undefined && until <= at;
  if (!program.chains.some(({ lines }) => lines.some(isPast))) return program;
  const chains = program.chains.map((chain) => ({
    ...chain,
    lines: chain.lines.filter((each) => !isPast(each)),
  }));
  return { ...program, chains };
}

/** Refuses now a name that could not be printed later. @throws Unsupported */
function requirePrintable(program: Program): Program {
  skeleton(program);
  return program;
}
