/**
 * Whose signatures a stored repository carries, held against the root in force. Decides what must be signed again after
 * a root named other keys, so that hosts follow at once and not only with their next bundle. Key ids are digests of the
 * keys, so a name is enough here; that signatures hold was seen when they were made or taken.
 */
import * as z from "zod";
import { keyIdOf } from "#core/tuf/read.ts";
import { operatorsSign, type Root, Signature, tufKey } from "#schema/tuf.ts";
import { toHex } from "#worker/lib/encoding.ts";
import { type OnlineRole, onlineRoles, type Signer } from "#worker/ports/index.ts";
import type { Repository } from "./types.ts";

const Signed = z.object({ signatures: z.array(Signature) });

/** Files that do not carry a threshold of their role's keys, as `root` names them. */
export function findOutdated(root: Root, repository: Repository): Set<OnlineRole> {
  return new Set(
    onlineRoles.filter((role) => {
      const { keyids, threshold } = root.roles[role];
      const { signatures } = Signed.parse(JSON.parse(repository[role]));
      return signatures.filter(({ keyid }) => keyids.includes(keyid)).length < threshold;
    }),
  );
}

/** Does the root give the lease to this control plane? If not, what it signed would be refused by every host. */
export async function givesLeaseTo(root: Root, signer: Signer): Promise<boolean> {
  const unnamed = await findUnnamedRoles(root, signer);
  return !unnamed.includes("snapshot") && !unnamed.includes("timestamp");
}

/** Roles that are this control plane's to sign, and for which the root names other keys than its own. */
export async function findUnnamedRoles(root: Root, signer: Signer): Promise<readonly OnlineRole[]> {
  const unnamed: OnlineRole[] = [];
  for (const role of onlineRoles) {
    if (role === "targets" && operatorsSign(root)) continue;
    const own = keyIdOf(tufKey(toHex(await signer.publicKey(role))));
    if (!root.roles[role].keyids.includes(own)) unnamed.push(role);
  }
  return unnamed;
}
