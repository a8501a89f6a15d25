/** The guard room: the host's own policy, and what it lets a trusted ruleset be. */
import type { Guard } from "#schema/guard.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { Refused } from "../refusal.ts";
import type { TrustedBundle } from "../trust/index.ts";
import { openToAll } from "./exposure.ts";

export { type LoadedGuard, loadGuard, parseGuard } from "./load.ts";
export { lookAround, proposeGuard } from "./propose.ts";
export { policyOf } from "./policy.ts";

/**
 * The trusted ruleset, if this host's guard admits it. The management plane needs no check here: a bundle has no way
 * to name it, and the renderer puts it first.
 * @throws Refused `guard_refused`
 */
export function admit(bundle: Pick<TrustedBundle, "ruleset">, guard: Guard): Ruleset {
  const { rules, sets, classes } = bundle.ruleset;
  const elements = [...sets, ...classes].reduce((sum, { elements: own }) => sum + own.length, 0);
  within("rules", rules.length, guard.limits.max_rules);
  within("set elements", elements, guard.limits.max_elements);
  const open = openToAll(bundle.ruleset);
  const never = new Set(guard.never_accept_from_any);
  for (const [transport, ports] of [
    ["tcp", open.tcp],
    ["udp", open.udp],
  ] as const) {
    const port = ports.find((candidate) => never.has(candidate));
    if (port !== undefined)
      throw new Refused(
        "guard_refused",
        `the bundle opens ${transport} port ${port} to everybody, the guard never does`,
      );
  }
  within("ports open to everybody", open.tcp.length + open.udp.length, guard.limits.max_any_accept);
  return bundle.ruleset;
}

function within(what: string, count: number, limit: number): void {
  if (count > limit)
    throw new Refused("guard_refused", `the bundle has ${count} ${what}, the guard admits ${limit}`);
}
