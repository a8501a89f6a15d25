/** Until when the metadata that a host holds is good, and for how long it was made. Reads what was verified before. */
import { bundlePath } from "#schema/bundle.ts";
import type { RoleExpiry } from "#schema/expiry.ts";
import { readSnapshot, readTargets, readTimestamp, type RootFile } from "./metadata.ts";
import type { MetadataBytes } from "./verify.ts";

/** What a control plane gives a snapshot; its file does not say when it was signed. */
const snapshotLifeSeconds = 14 * 86_400;

/** @param acceptedAt when the timestamp was accepted, milliseconds since the Unix epoch */
export function expiriesOf(
  root: RootFile,
  metadata: MetadataBytes | undefined,
  acceptedAt: number | null,
): readonly RoleExpiry[] {
  const one = (role: RoleExpiry["role"], at: number, life_seconds: number | null): RoleExpiry => ({
    role,
    expires_at: new Date(at).toISOString(),
    life_seconds,
  });
  if (metadata === undefined) return [one("root", root.expiresAt, null)];
  const targets = readTargets(metadata.targets);
  const timestamp = readTimestamp(metadata.timestamp);
  const { issued } = targets.signed.targets[bundlePath].custom;
  const since = (end: number, start: number): number => Math.max(0, Math.floor((end - start) / 1000));
  return [
    one("root", root.expiresAt, null),
    one("targets", targets.expiresAt, since(targets.expiresAt, Date.parse(issued))),
    one("snapshot", readSnapshot(metadata.snapshot).expiresAt, snapshotLifeSeconds),
    one("timestamp", timestamp.expiresAt, since(timestamp.expiresAt, acceptedAt ?? timestamp.expiresAt)),
  ];
}
