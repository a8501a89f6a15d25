/** The guard room: the host's own policy, and what it lets a trusted ruleset be. */
import type { Guard } from "#schema/guard.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { Refused } from "../refusal.ts";
import type { TrustedBundle } from "../trust/index.ts";

export { type LoadedGuard, loadGuard, parseGuard } from "./load.ts";

/**
 * The trusted ruleset, if this host's guard admits it. The management plane needs no check here: a bundle has no way
 * to name it, and the renderer puts it first.
 * @throws Refused `guard_refused`
 */
export function admit(bundle: TrustedBundle, guard: Guard): Ruleset {
  const { rules, sets, classes } = bundle.ruleset;
  const elements = [...sets, ...classes].reduce((sum, { elements: own }) => sum + own.length, 0);
  within("rules", rules.length, guard.limits.max_rules);
  within("set elements", elements, guard.limits.max_elements);
  return bundle.ruleset;
}

function within(what: string, count: number, limit: number): void {
  if (count > limit)
    throw new Refused("guard_refused", `the bundle has ${count} ${what}, the guard admits ${limit}`);
}
