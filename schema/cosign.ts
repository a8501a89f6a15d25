/**
 * What the control plane and operators say to each other about targets that wait for signatures. `targets` and bundles
 * are exact texts: what is signed is signed over these bytes, and a bundle is the one whose digest the targets name.
 */
import * as z from "zod";
import { sizeLimits } from "./bundle.ts";
import { Key, list, Ordinal, Revision, Sha256, textUpTo, Time } from "./primitives.ts";
import { KeyId, Signature } from "./tuf.ts";

export const PendingItem = z.object({
  host: Key,
  seq: Ordinal,
  revision: Revision,
  bundle_sha256: Sha256,
  /** When the targets expire that are to be signed. */
  expires_at: Time,
  at: Time,
  signed_by: list(KeyId, { max: 16 }),
  threshold: z.int().min(1).max(16),
});
export type PendingItem = z.infer<typeof PendingItem>;

export const PendingDetail = z.object({
  ...PendingItem.shape,
  targets: textUpTo(sizeLimits.targets),
  bundle: textUpTo(sizeLimits.bundle),
  /** What the host is served now; null before the first. */
  served: z
    .object({ targets: textUpTo(sizeLimits.targets), bundle: textUpTo(sizeLimits.bundle) })
    .nullable(),
});
export type PendingDetail = z.infer<typeof PendingDetail>;

export const CosignRequest = z.strictObject({
  seq: Ordinal,
  signatures: list(Signature, { min: 1, max: 16 }),
});

/** `published`: the threshold was reached, and the host gets it at its next poll. */
export const CosignResponse = z.object({ ...PendingItem.shape, published: z.boolean() });
export type CosignResponse = z.infer<typeof CosignResponse>;
