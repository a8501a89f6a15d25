/** What a host tells of its trust. */
import type { RoleExpiry } from "#schema/expiry.ts";
import type { Seen } from "#schema/wire.ts";
import type { Trust } from "./index.ts";

/** What the trust room holds; nothing while it cannot be opened. */
export const heldFacts = (
  trust: Trust | undefined,
): { readonly seen: Seen; readonly expires: readonly RoleExpiry[] } => ({
  seen: trust?.readSeen() ?? { root: 1, timestamp: 0, targets: 0 },
  expires: trust?.listExpiries() ?? [],
});
