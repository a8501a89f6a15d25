/**
 * Which root may be stored and served: one that every agent follows, by the very functions that agents judge it with
 * (core/tuf), and that gives this control plane the roles it must fill. The chain is served for ever, so there is no
 * second chance.
 */
import { Refused } from "#core/refused.ts";
import { checkClaimsAsync } from "#core/tuf/claims.ts";
import { findOnlineFault } from "#core/tuf/online.ts";
import { keyIdOf, readCanonicalRoot, type RootFile } from "#core/tuf/read.ts";
import { findCandidateFaults, type RootFault } from "#core/tuf/succession.ts";
import type { RefusalCode, RootRefusalCode } from "#schema/refusals.ts";
import { tufKey } from "#schema/tuf.ts";
import { toHex, utf8 } from "#worker/lib/encoding.ts";
import { onlineRoles, type Signer } from "#worker/ports/index.ts";
import { holds } from "./verify.ts";

export type RootRefusal = RootFault & { readonly ok: false };

/** The reader's codes, as those of a root that is not taken. */
const codes: Partial<Record<RefusalCode, RootRefusalCode>> = {
  metadata_too_large: "root_too_large",
  metadata_malformed: "root_malformed",
  root_invalid: "root_keys",
};

/** Reads root.json: canonical bytes, our strict shape, keys named by their own digest, strong, and in one role each. */
export function readRoot(
  text: string,
): { readonly ok: true; readonly root: RootFile } | RootRefusal {
  try {
    return { ok: true, root: readCanonicalRoot(utf8(text)) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ok: false, code: codes[error.code] ?? "root_malformed", message: error.message };
  }
}

/**
 * Whether `next` may follow `current` (undefined: before the first root): the next version, signed by a threshold of its
 * own root keys and of its predecessor's, neither over nor good for longer than any root, and giving the online roles to
 * `signer`'s keys, but targets to operators where it says so.
 */
export async function checkSuccessor(
  current: RootFile | undefined,
  next: RootFile,
  now: number,
  signer: Signer,
): Promise<{ readonly ok: true } | RootRefusal> {
  const [fault] = await checkClaimsAsync(findCandidateFaults(current, next, now), holds);
  if (fault !== undefined) return { ok: false, ...fault };
  const { targets, snapshot, timestamp } = await listOnlineKeys(signer);
  const own = {
    targets: keyIdOf(targets),
    snapshot: keyIdOf(snapshot),
    timestamp: keyIdOf(timestamp),
  };
  const message = findOnlineFault(next.signed, own);
  return message === undefined ? { ok: true } : { ok: false, code: "root_online_keys", message };
}

/** The public halves of the online keys. */
export async function listOnlineKeys(signer: Signer) {
  const [targets, snapshot, timestamp] = await Promise.all(
    onlineRoles.map(async (role) => tufKey(toHex(await signer.publicKey(role)))),
  );
  if (targets === undefined || snapshot === undefined || timestamp === undefined)
    throw new Error("three online roles");
  return { targets, snapshot, timestamp };
}
