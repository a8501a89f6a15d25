/** The guard room: the host's own policy, and what it lets a trusted ruleset be. */
import type { Guard } from "#schema/guard.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { guardRefusals } from "#core/simulate/admission.ts";
import { Refused } from "#agent/machine/refusal.ts";
import type { TrustedBundle } from "../trust/index.ts";

export { guardReader, type LoadedGuard, loadGuard, parseGuard } from "./load.ts";
export { readSurroundings, proposeGuard } from "./propose.ts";
export { policyOf } from "./policy.ts";

/**
 * The trusted ruleset, if this host's guard admits it.
 * @throws Refused `guard_refused`
 */
export function admit(bundle: Pick<TrustedBundle, "ruleset">, guard: Guard): Ruleset {
  const [refusal] = guardRefusals(bundle.ruleset, guard);
  if (refusal !== undefined) throw new Refused("guard_refused", refusal.message, refusal.line);
  return bundle.ruleset;
}
