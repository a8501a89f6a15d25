/**
 * The door of the trust room: bytes from the network go in, a `TrustedBundle` or a refusal comes out, and nothing else
 * in the agent can make one. Decides what is believed and keeps it (DESIGN §7): floors first, then the
 * metadata, then the bundle, so that a crash between two steps costs a download and never a rollback.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type BundleCustom, sizeLimits } from "#schema/bundle.ts";
import type { RoleExpiry } from "#schema/expiry.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import type { Seen } from "#schema/wire.ts";
import { isErrno, makeDirectory, readOptional, removeDurable, writeDurable } from "../persist.ts";
import { type Outcome, outcome, Refused, refusalOf } from "../refusal.ts";
import { confirmWithTufJs } from "./engine.ts";
import { expiriesOf } from "./expiries.ts";
import { type Floors, initialFloors, readFloors, writeFloors } from "./floors.ts";
import { type Hint, noHint, readGenerations, writeGeneration } from "./generations.ts";
import { sha256 } from "./keys.ts";
import { keysetOf, readRoot, type RootFile } from "./metadata.ts";
import {
  followRoots,
  type MetadataBytes,
  onlineRoles,
  type Owner,
  type Verified,
  verifyBundle,
  verifyMetadata,
} from "./verify.ts";

export type { Hint } from "./generations.ts";

declare const minted: unique symbol;

/** A ruleset that a threshold of pinned keys signed for this host, newer than or equal to everything seen before. */
export interface TrustedBundle {
  readonly [minted]: true;
  readonly ruleset: Ruleset;
  readonly custom: BundleCustom;
  readonly sha256: string;
  /** The timestamp's expiry, milliseconds since the Unix epoch. */
  readonly leaseEndsAt: number;
}

/** The members of an update as bytes; `bundle` is absent when the host said that it holds it. */
export interface UpdateBytes extends MetadataBytes {
  readonly roots: readonly Uint8Array[];
  readonly bundle: Uint8Array | undefined;
}

export interface Identity extends Owner {
  /** SHA-256 of the root pinned at enrolment. */
  readonly rootSha256: string;
}

export interface Trust {
  /** Versions to tell the control plane. */
  seen(): Seen;
  hint(): Hint;
  /** What is held: verified again from disk, whether or not its lease is over. */
  held(): TrustedBundle | undefined;
  /** Until when each file that is held is good; of the root alone before the first update. */
  expiries(): readonly RoleExpiry[];
  /** @param now milliseconds since the Unix epoch, fixed for the whole cycle */
  accept(update: UpdateBytes, hint: Hint, now: number): Promise<Outcome<TrustedBundle>>;
}

/** Prepares an empty state directory with the root that enrolment pinned. @throws Refused when it is not sound */
export function pinRoot(directory: string, root: Uint8Array): void {
  const { signed } = readRoot(root);
  makeDirectory(join(directory, "trust"));
  makeDirectory(join(directory, "bundles"));
  writeDurable(join(directory, "root.json"), root);
  writeFloors(directory, initialFloors(signed.version));
  writeGeneration(join(directory, "trust"), { root, metadata: undefined, hint: noHint });
}

interface Held {
  readonly root: RootFile;
  readonly metadata: MetadataBytes | undefined;
  readonly hint: Hint;
  readonly bundle: TrustedBundle | undefined;
}

/** Opens the trust state; damage costs what it must, but never lowers a floor. */
export function openTrust(directory: string, identity: Identity): Outcome<Trust> {
  try {
    return { ok: true, value: new TrustStore(directory, identity) };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refusal: refusalOf(error) };
    if (isErrno(error))
      return { ok: false, refusal: { code: "state_unwritable", message: `state directory: ${error.code}` } };
    throw error;
  }
}

class TrustStore implements Trust {
  readonly #directory: string;
  readonly #identity: Identity;
  #floors: Floors;
  #held: Held;

  constructor(directory: string, identity: Identity) {
    this.#directory = directory;
    this.#identity = identity;
    makeDirectory(join(directory, "trust"));
    makeDirectory(join(directory, "bundles"));
    this.#floors = readFloors(directory);
    this.#held = load(directory, identity, this.#floors);
  }

  seen(): Seen {
    return {
      root: this.#held.root.signed.version,
      timestamp: this.#floors.timestamp?.version ?? 0,
      targets: this.#floors.targets?.version ?? 0,
    };
  }

  hint(): Hint {
    return this.#held.hint;
  }

  held(): TrustedBundle | undefined {
    return this.#held.bundle;
  }

  expiries(): readonly RoleExpiry[] {
    const { root, metadata, hint } = this.#held;
    return expiriesOf(root, metadata, hint.accepted_at);
  }

  accept(update: UpdateBytes, hint: Hint, now: number): Promise<Outcome<TrustedBundle>> {
    return outcome(async () => {
      const before = this.#held;
      const time = Math.max(now, this.#floors.targets?.issued_at ?? 0);
      const root = this.#follow(update.roots);
      const verified = verifyMetadata(root, update, this.#identity, this.#floors, time);
      const bytes = update.bundle ?? readBundle(this.#directory, verified.bundle.sha256);
      if (bytes === undefined)
        throw new Refused("bundle_hash_mismatch", "the bundle is missing from the update");
      const ruleset = verifyBundle(verified, bytes);
      await this.#confirm(before, update, verified, time);
      const bundle = mint(verified, ruleset);
      this.#keep({ root, metadata: update, hint, bundle }, verified.floors, bytes);
      return bundle;
    });
  }

  /** A newer root is kept as soon as it verifies, whatever becomes of the rest (TUF's progress rule). */
  #follow(successors: readonly Uint8Array[]): RootFile {
    if (successors.length > sizeLimits.newRoots)
      throw new Refused("metadata_too_large", `more than ${sizeLimits.newRoots} roots in one update`);
    const { root, refusal } = followRoots(this.#held.root, successors);
    if (root !== this.#held.root) this.#keepRoot(root);
    if (refusal !== undefined) throw new Refused(refusal.code, refusal.message);
    return root;
  }

  #confirm(before: Held, update: UpdateBytes, verified: Verified, now: number): Promise<void> {
    const first = before.root.signed.version + 1;
    const rotated = onlineRoles.some(
      (role) => keysetOf(before.root, role) !== keysetOf(this.#held.root, role),
    );
    return confirmWithTufJs({
      scratch: join(this.#directory, "trust", ".scratch"),
      root: before.root.bytes,
      successors: update.roots.map((bytes, i) => ({ version: first + i, bytes })),
      before: rotated ? undefined : before.metadata,
      update: { timestamp: update.timestamp, snapshot: update.snapshot, targets: update.targets },
      verified,
      now,
    });
  }

  #keepRoot(root: RootFile): void {
    this.#write(() => {
      this.#floors = writeFloors(this.#directory, { ...this.#floors, root: root.signed.version });
      const { metadata, bundle } = this.#held;
      this.#held = { root, metadata, bundle, hint: noHint };
      writeGeneration(join(this.#directory, "trust"), { root: root.bytes, metadata, hint: noHint });
    });
  }

  #keep(held: Held & { metadata: MetadataBytes }, floors: Floors, bundle: Uint8Array): void {
    const { timestamp, snapshot, targets } = held.metadata;
    if (this.#holds(held.metadata)) return;
    this.#write(() => {
      this.#floors = writeFloors(this.#directory, floors);
      writeGeneration(join(this.#directory, "trust"), {
        root: held.root.bytes,
        metadata: { timestamp, snapshot, targets },
        hint: held.hint,
      });
      writeBundle(this.#directory, bundle, this.#held.bundle?.sha256);
      this.#held = { ...held, metadata: { timestamp, snapshot, targets } };
    });
  }

  /** The very same update again, as after an apply that failed: nothing to write. */
  #holds(update: MetadataBytes): boolean {
    const { metadata, bundle } = this.#held;
    return (
      bundle !== undefined &&
      metadata !== undefined &&
      onlineRoles.every((role) => Buffer.compare(metadata[role], update[role]) === 0)
    );
  }

  #write(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (isErrno(error))
        throw new Refused("state_unwritable", `state directory: ${error.code ?? "unwritable"}`);
      throw error;
    }
  }
}

const mint = (verified: Verified, ruleset: Ruleset): TrustedBundle =>
  ({
    ruleset,
    custom: verified.custom,
    sha256: verified.bundle.sha256,
    leaseEndsAt: verified.timestamp.expiresAt,
  }) as TrustedBundle;

/** The newest generation whose root is sound and at its floor; failing that, the pinned root. */
function load(directory: string, identity: Identity, floors: Floors): Held {
  for (const generation of readGenerations(join(directory, "trust"))) {
    const root = soundRoot(generation.root);
    if (root === undefined || root.signed.version < floors.root) continue;
    const { metadata, hint } = generation;
    const bundle = metadata === undefined ? undefined : again(directory, identity, floors, root, metadata);
    // Metadata that no longer verifies is not a base for anything: fetched again as a whole.
    return bundle === undefined
      ? { root, metadata: undefined, hint: noHint, bundle }
      : { root, metadata, hint, bundle };
  }
  const pinned = readOptional(join(directory, "root.json"));
  if (pinned === undefined || sha256(pinned) !== identity.rootSha256)
    throw new Refused("state_invalid", "the pinned root is damaged: enrol this host again");
  return { root: readRoot(pinned), metadata: undefined, hint: noHint, bundle: undefined };
}

/** What is on disk passes the same checks as what comes from the network; only its age is not held against it. */
function again(
  directory: string,
  identity: Identity,
  floors: Floors,
  root: RootFile,
  metadata: MetadataBytes,
): TrustedBundle | undefined {
  try {
    const verified = verifyMetadata(root, metadata, identity, floors, 0);
    const bytes = readBundle(directory, verified.bundle.sha256);
    return bytes === undefined ? undefined : mint(verified, verifyBundle(verified, bytes));
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

function soundRoot(bytes: Uint8Array): RootFile | undefined {
  try {
    return readRoot(bytes);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

const bundleFile = (directory: string, digest: string): string =>
  join(directory, "bundles", `${digest}.json`);

function readBundle(directory: string, digest: string): Uint8Array | undefined {
  const bytes = readOptional(bundleFile(directory, digest));
  return bytes !== undefined && sha256(bytes) === digest ? bytes : undefined;
}

/** Keeps the bundle and the one before it; others go. */
function writeBundle(directory: string, bytes: Uint8Array, before: string | undefined): void {
  const digest = sha256(bytes);
  if (readBundle(directory, digest) === undefined) writeDurable(bundleFile(directory, digest), bytes);
  const keep = new Set([`${digest}.json`, `${before ?? digest}.json`]);
  for (const name of readdirSync(join(directory, "bundles")))
    if (!keep.has(name)) removeDurable(join(directory, "bundles", name));
}
