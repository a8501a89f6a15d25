/** Until when the metadata that a host holds is good, and for how long it was made. Reads what was verified before. */
import type { RootFile } from "#core/tuf/read.ts";
import { millisecondsOf } from "#core/tuf/times.ts";
import type { Verified } from "#core/tuf/verify.ts";
import type { RoleExpiry } from "#schema/expiry.ts";
import { longestLife } from "#schema/tuf.ts";

/** @param acceptedAt when the timestamp was accepted, milliseconds since the Unix epoch */
export function expiriesOf(
  root: RootFile,
  verified: Verified | undefined,
  acceptedAt: number | null,
): readonly RoleExpiry[] {
  const one = ({ role, signed }: Ending, life_seconds: number | null): RoleExpiry => ({
    role,
    expires_at: new Date(millisecondsOf(signed.expires)).toISOString(),
    life_seconds,
  });
  if (verified === undefined) return [one(root, null)];
  const { targets, snapshot, timestamp, issuedAt } = verified;
  const since = ({ signed }: Ending, start: number): number =>
    Math.max(0, Math.floor((millisecondsOf(signed.expires) - start) / 1000));
  return [
    one(root, null),
    one(targets, since(targets, issuedAt)),
    // Its file does not say when it was signed.
    one(snapshot, longestLife.snapshot / 1000),
    one(timestamp, acceptedAt === null ? 0 : since(timestamp, acceptedAt)),
  ];
}

interface Ending {
  readonly role: RoleExpiry["role"];
  readonly signed: { readonly expires: string };
}
