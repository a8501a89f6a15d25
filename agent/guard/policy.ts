/** What a guard says about trust that runs out, as this host's own numbers. */
import type { Guard } from "#schema/guard.ts";
import type { Policy } from "#agent/machine/state.ts";
import { sha256 } from "#agent/disk/digest.ts";

const hourMs = 3_600_000;
/** Up to a tenth more or less, so that an outage of the control plane never closes a fleet in one minute. */
const jitter = 0.1;

/** @param publicKey the host's own, which gives each host its place within the jitter, the same after every restart */
export function policyOf(guard: Guard, publicKey: string): Policy {
  const place = Number.parseInt(sha256(publicKey).slice(0, 8), 16) / 0xffff_ffff;
  return {
    onFailure: guard.on_failure,
    onExpiry: guard.on_expiry,
    graceMs: Math.round(guard.grace_hours * hourMs * (1 + jitter * (2 * place - 1))),
  };
}
