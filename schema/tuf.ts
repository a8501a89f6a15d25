/**
 * TUF metadata as this project writes it (TUF specification §4): Ed25519 and SHA-256 only, no delegations, dates to the
 * second, canonical JSON as the wire text. Everything is strict, so metadata with an unknown field is refused.
 */
import * as z from "zod";
import { BundleCustom, SnapshotCustom, bundlePath, sizeLimits } from "./bundle.ts";
import { list, Ordinal, Sha256, makeTable } from "./primitives.ts";
import { UtcTime } from "./time.ts";

export const specVersion = "1.0.31";

export const roles = ["root", "targets", "snapshot", "timestamp"] as const;
export type Role = (typeof roles)[number];

/** A key id is the SHA-256 of the canonical key object (securesystemslib's convention). */
export const KeyId = Sha256;

export const TufKey = z.strictObject({
  keytype: z.literal("ed25519"),
  scheme: z.literal("ed25519"),
  keyval: z.strictObject({
    public: z.string().regex(/^[0-9a-f]{64}$/, { error: "expected 32 bytes in hex" }),
  }),
});
export type TufKey = z.infer<typeof TufKey>;

/** The key object of a raw public key in lower-case hex. */
export const tufKey = (publicHex: string): TufKey => ({
  keytype: "ed25519",
  scheme: "ed25519",
  keyval: { public: publicHex },
});

const day = 86_400_000;

/**
 * How long each role's files are good for at most, from their signing on, in milliseconds: a publisher makes none that
 * live longer, and a reader believes none that end later. Targets live so long where operators sign them; the timestamp
 * is the lease. A root is signed offline, by people.
 */
export const longestLife = {
  root: 1826 * day,
  targets: 90 * day,
  snapshot: 14 * day,
  timestamp: 7 * day,
} as const satisfies Record<Role, number>;

const Version = Ordinal;
const Pinned = z.strictObject({
  version: Version,
  length: z.int().min(1).max(sizeLimits.bundle),
  hashes: z.strictObject({ sha256: Sha256 }),
});

const base = { spec_version: z.literal(specVersion), version: Version, expires: UtcTime };

const RoleKeys = z.strictObject({
  keyids: list(KeyId, { min: 1, max: 16 }),
  threshold: z.int().min(1).max(16),
});

export const Root = z.strictObject({
  _type: z.literal("root"),
  ...base,
  consistent_snapshot: z.literal(true),
  keys: makeTable(KeyId, TufKey, { max: 64 }),
  roles: z.strictObject({
    root: RoleKeys,
    targets: RoleKeys,
    snapshot: RoleKeys,
    timestamp: RoleKeys,
  }),
});
export type Root = z.infer<typeof Root>;

/** Do operators sign targets? One key is the control plane's own; where there are more, no one of them is enough. */
export const operatorsSign = ({ roles: { targets } }: Root): boolean => targets.keyids.length > 1;

export const Targets = z.strictObject({
  _type: z.literal("targets"),
  ...base,
  targets: z.strictObject({
    [bundlePath]: z.strictObject({
      length: z.int().min(1).max(sizeLimits.bundle),
      hashes: z.strictObject({ sha256: Sha256 }),
      custom: BundleCustom,
    }),
  }),
});
export type Targets = z.infer<typeof Targets>;

export const Snapshot = z.strictObject({
  _type: z.literal("snapshot"),
  ...base,
  meta: z.strictObject({ "targets.json": Pinned }),
  custom: SnapshotCustom,
});
export type Snapshot = z.infer<typeof Snapshot>;

export const Timestamp = z.strictObject({
  _type: z.literal("timestamp"),
  ...base,
  meta: z.strictObject({ "snapshot.json": Pinned }),
});
export type Timestamp = z.infer<typeof Timestamp>;

export const Signature = z.strictObject({
  keyid: KeyId,
  sig: z.string().regex(/^[0-9a-f]{128}$/, { error: "expected 64 bytes in hex" }),
});
export type Signature = z.infer<typeof Signature>;

/** A signed file of any role. */
export const envelope = <T extends z.ZodType>(signed: T) =>
  z.strictObject({ signatures: list(Signature, { max: 32 }), signed });
