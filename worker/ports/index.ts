/**
 * What the application needs from the outside, as ports. Two adapters exist: Cloudflare (worker/env.ts) and one Node
 * process (worker/standalone). Nothing else in the worker touches a binding, a file, a clock or a private key.
 */
import type { D1Database } from "@cloudflare/workers-types";
import type { Retention } from "./retention.ts";

/**
 * The part of the D1 API that the store uses; D1's own limits hold on both adapters.
 * `inTurn`, where one process is the only writer, queues writers that would otherwise race and try again. Nothing may
 * depend on it for being right.
 */
export type Sql = Pick<D1Database, "prepare" | "batch"> & {
  readonly inTurn?: <T>(work: () => Promise<T>) => Promise<T>;
};

/**
 * Immutable bytes by their SHA-256 in lower-case hex. Putting bytes that are there changes nothing; in the place of
 * damaged ones it mends them. Reading damaged ones throws.
 */
export interface Blobs {
  put(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  get(sha256: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** What is kept, by name, from the one after `after`; `at`: when it was first put, milliseconds since the Unix epoch. */
  list(
    after: string,
    limit: number,
  ): Promise<readonly { readonly sha256: string; readonly at: number }[]>;
  /** Removing what is not there is a no-op. */
  remove(sha256: string): Promise<void>;
}

/** Milliseconds since the Unix epoch. */
export interface Clock {
  now(): number;
}

export type OnlineRole = "targets" | "snapshot" | "timestamp";
export const onlineRoles = [
  "targets",
  "snapshot",
  "timestamp",
] as const satisfies readonly OnlineRole[];

/** The online keys. Private halves never leave the adapter. */
export interface Signer {
  /** Raw Ed25519 public key of a role, 32 bytes. */
  publicKey(role: OnlineRole): Promise<Uint8Array<ArrayBuffer>>;
  sign(role: OnlineRole, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Key of the stateless host tokens (HS256), 32 bytes or more. */
  tokenSecret(): Promise<Uint8Array<ArrayBuffer>>;
}

export interface Settings {
  /** Name of this deployment, signed into every snapshot; TUF's "tenant". */
  readonly fleet: string;
  /** SHA-256 of the first operator token, hex. It has every scope; revoke it by changing the setting. */
  readonly adminTokenSha256: string;
  /** Timestamp lifetime: 15 minutes to 7 days (DESIGN §7). */
  readonly leaseSeconds: number;
  /** What agents are asked to wait between polls, 5–900. */
  readonly pollSeconds: number;
  /** `staged`: what changes hosts goes through a rollout, but for members; `open`: a commit may change hosts at once. */
  readonly release: "open" | "staged";
  readonly retention: Retention;
}

export interface Ports {
  readonly sql: Sql;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly signer: Signer;
  readonly settings: Settings;
}
