/** From a trusted bundle to what this host would load, and to what the state machine knows of it. */
import { type Program, render, renderClosed } from "#core/render/index.ts";
import { closedRules, type Rules } from "#agent/flows/flows.ts";
import { admit, type LoadedGuard } from "#agent/guard/index.ts";
import { Refused } from "#agent/machine/refusal.ts";
import type { Candidate } from "#agent/machine/state.ts";
import type { TrustedBundle } from "#agent/trust/index.ts";

/** How far the clocks of control plane and host may differ without a grant that has just been made waiting for it. */
const skewSeconds = 600;

/** The program a trusted bundle means on this host. @throws Refused */
export function programOf(bundle: TrustedBundle, { guard }: LoadedGuard): Program {
  if (bundle.custom.mode === "closed") return renderClosed(guard);
  const since = Math.max(0, Math.floor(Date.parse(bundle.custom.issued) / 1000) - skewSeconds);
  const rendered = render(admit(bundle, guard), guard, since);
  if (!rendered.ok) throw new Refused(rendered.code, rendered.message);
  return rendered.program;
}

export const candidateOf = ({ custom, sha256 }: TrustedBundle): Candidate => ({
  seq: custom.seq,
  revision: custom.revision,
  bundle_sha256: sha256,
  mode: custom.mode,
});

/** What a trusted bundle means for the flows of this host. */
export const rulesOf = ({ custom, ruleset }: TrustedBundle, { guard }: LoadedGuard): Rules =>
  custom.mode === "closed" ? closedRules(guard) : { ruleset, guard };
