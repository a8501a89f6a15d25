/** What a control plane asks of a root besides what every agent does: that its own keys get the roles that it must fill. */
import { operatorsSign, type Root } from "#schema/tuf.ts";
import type { OnlineRole } from "./verify.ts";

/**
 * Snapshot and timestamp are the control plane's alone, because leases must be renewed every day. Targets are too, or
 * several keys': then its own key may be one of them and is never enough.
 * @param own ids of the control plane's online keys
 * @returns what is wrong, or undefined
 */
export function findOnlineFault(
  root: Root,
  own: Readonly<Record<OnlineRole, string>>,
): string | undefined {
  for (const role of ["snapshot", "timestamp"] as const) {
    const { keyids, threshold } = root.roles[role];
    if (threshold !== 1 || keyids.length !== 1 || keyids[0] !== own[role])
      return `role ${role} is not this control plane's ${role} key`;
  }
  const { keyids, threshold } = root.roles.targets;
  if (!operatorsSign(root))
    return keyids[0] === own.targets
      ? undefined
      : "role targets is not this control plane's targets key";
  return threshold === 1 && keyids.includes(own.targets)
    ? "role targets lets this control plane's key sign alone beside operators' keys"
    : undefined;
}
