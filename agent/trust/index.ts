/**
 * The door of the trust room: bytes from the network go in, a `TrustedBundle` or a refusal comes out, and nothing else
 * in the agent can make one. Decides first and moves state after: a refused update leaves disk and memory as they were,
 * but for roots that verified. What is kept goes floors first, then the metadata, then the bundle, so that a crash
 * between two steps costs a download and never a rollback; memory is always what a restart would read back.
 */
import { join } from "node:path";
import { Refused } from "#core/refused.ts";
import { checkClaims } from "#core/tuf/claims.ts";
import { type Floors, keysetOf } from "#core/tuf/floors.ts";
import type { RootFile } from "#core/tuf/read.ts";
import { requireSignedRoot } from "#core/tuf/signers.ts";
import { followRoots } from "#core/tuf/succession.ts";
import {
  type Digested,
  floorsAfter,
  onlineRoles,
  requireFresh,
  timeUnder,
  type Verified,
} from "#core/tuf/verify.ts";
import { sizeLimits } from "#schema/bundle.ts";
import type { RoleExpiry } from "#schema/expiry.ts";
import type { Seen } from "#schema/wire.ts";
import { isErrno, makeDirectory, writeDurable } from "#agent/disk/files.ts";
import { type Outcome, settleOutcome, refusalOf } from "#agent/machine/refusal.ts";
import { readBundle, writeBundle } from "./bundles.ts";
import { confirmWithTufJs } from "./engine.ts";
import { expiriesOf } from "./expiries.ts";
import { initialFloors, readFloors, writeFloors } from "./floors.ts";
import { type Hint, type MetadataBytes, noHint, writeGeneration } from "./generations.ts";
import {
  verifyAgain,
  believe,
  type Believed,
  addDigest,
  type Held,
  type Identity,
  keysOf,
  load,
  type TrustedBundle,
  verify,
} from "./held.ts";
import { holds } from "./keys.ts";

export type { Hint } from "./generations.ts";
export type { Identity, TrustedBundle } from "./held.ts";

/** The members of an update as bytes; `bundle` is absent when the host said that it holds it. */
export interface UpdateBytes extends MetadataBytes {
  readonly roots: readonly Uint8Array[];
  readonly bundle: Uint8Array | undefined;
}

export interface Trust {
  /** A digest of all key sets that the root in force names: another one after a root with other keys. */
  keys(): string;
  /** Versions to tell the control plane. */
  readSeen(): Seen;
  hint(): Hint;
  /** What is held: verified again from disk, whether or not its lease is over. */
  readHeld(): TrustedBundle | undefined;
  /** Until when each file that is held is good; of the root alone before the first update. */
  listExpiries(): readonly RoleExpiry[];
  /** @param now milliseconds since the Unix epoch, fixed for the whole cycle */
  accept(update: UpdateBytes, hint: Hint, now: number): Promise<Outcome<TrustedBundle>>;
}

/** Prepares an empty state directory with the root that enrolment pinned. @throws Refused when it is not sound */
export function pinRoot(directory: string, root: Uint8Array): void {
  const { signed } = checkClaims(requireSignedRoot(root), holds);
  makeDirectory(join(directory, "trust"));
  makeDirectory(join(directory, "bundles"));
  writeDurable(join(directory, "root.json"), root);
  writeFloors(directory, initialFloors(signed.version));
  writeGeneration(join(directory, "trust"), { root, metadata: undefined, hint: noHint });
}

/** What an update comes to, before anything is kept. */
interface Judged {
  /** The root held, or the newest that the update brought. */
  readonly root: RootFile;
  readonly rootBytes: Uint8Array;
  readonly outcome:
    | {
        readonly ok: true;
        readonly metadata: MetadataBytes;
        readonly believed: Believed;
        readonly bundle: Digested;
        readonly floors: Floors;
      }
    | { readonly ok: false; readonly refused: Refused };
}

/**
 * Opens the trust state; damage costs what it must, but never lowers a floor.
 * @param now milliseconds since the Unix epoch: what ends further ahead than any file is made for is not taken up again
 */
export function openTrust(directory: string, identity: Identity, now: number): Outcome<Trust> {
  try {
    return { ok: true, value: new TrustStore(directory, identity, now) };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refusal: refusalOf(error) };
    if (isErrno(error))
      return {
        ok: false,
        refusal: { code: "state_unwritable", message: `state directory: ${error.code}` },
      };
    throw error;
  }
}

class TrustStore implements Trust {
  readonly #directory: string;
  readonly #identity: Identity;
  #floors: Floors;
  #held: Held;

  constructor(directory: string, identity: Identity, now: number) {
    this.#directory = directory;
    this.#identity = identity;
    makeDirectory(join(directory, "trust"));
    makeDirectory(join(directory, "bundles"));
    this.#floors = readFloors(directory);
    this.#held = load(directory, identity, this.#floors, now);
  }

  keys(): string {
    return keysOf(this.#held.root);
  }

  readSeen(): Seen {
    return {
      root: this.#held.root.signed.version,
      timestamp: this.#floors.timestamp?.version ?? 0,
      targets: this.#floors.targets?.version ?? 0,
    };
  }

  hint(): Hint {
    return this.#held.hint;
  }

  readHeld(): TrustedBundle | undefined {
    return this.#held.believed?.bundle;
  }

  listExpiries(): readonly RoleExpiry[] {
    const { root, believed, hint } = this.#held;
    return expiriesOf(root, believed?.verified, hint.accepted_at);
  }

  accept(update: UpdateBytes, hint: Hint, now: number): Promise<Outcome<TrustedBundle>> {
    return settleOutcome(async () => {
      const judged = await this.#verifyUpdate(update, now);
      const moved = judged.root !== this.#held.root;
      if (!judged.outcome.ok) {
        if (moved) this.#keepRoot(judged, now);
        throw judged.outcome.refused;
      }
      const { root, rootBytes } = judged;
      const { metadata, believed, floors, bundle } = judged.outcome;
      if (moved || !this.#holds(metadata))
        this.#keep({ root, rootBytes, metadata, believed, hint }, floors, bundle);
      return believed.bundle;
    });
  }

  /** Reads the state directory and changes nothing. */
  async #verifyUpdate(update: UpdateBytes, now: number): Promise<Judged> {
    if (update.roots.length > sizeLimits.newRoots)
      throw new Refused(
        "metadata_too_large",
        `more than ${sizeLimits.newRoots} roots in one update`,
      );
    const followed = checkClaims(followRoots(this.#held.root, update.roots), holds);
    const { root } = followed;
    const reached = { root, rootBytes: followed.bytes ?? this.#held.rootBytes };
    try {
      if (followed.refusal !== undefined) throw followed.refusal;
      const { timestamp, snapshot, targets } = update;
      const metadata = { timestamp, snapshot, targets };
      const time = timeUnder(root, this.#floors, now);
      const verified = verify(root, metadata, this.#identity, this.#floors, time);
      requireFresh(verified, time);
      const bundle = this.#bundleOf(update, verified);
      const believed = believe(verified, bundle);
      await this.#confirm(update, verified, time);
      const floors = floorsAfter(verified, this.#floors, time);
      return { ...reached, outcome: { ok: true, metadata, believed, bundle, floors } };
    } catch (error) {
      if (error instanceof Refused) return { ...reached, outcome: { ok: false, refused: error } };
      throw error;
    }
  }

  #bundleOf(update: UpdateBytes, verified: Verified): Digested {
    const bytes = update.bundle ?? readBundle(this.#directory, verified.bundle.sha256);
    if (bytes === undefined)
      throw new Refused("bundle_hash_mismatch", "the bundle is missing from the update");
    return addDigest(bytes);
  }

  #confirm(update: UpdateBytes, verified: Verified, now: number): Promise<void> {
    const { root, rootBytes, metadata, believed } = this.#held;
    const first = root.signed.version + 1;
    return confirmWithTufJs({
      scratch: join(this.#directory, "trust", ".scratch"),
      root: rootBytes,
      successors: update.roots.map((bytes, i) => ({ version: first + i, bytes })),
      before: believed !== undefined && sameOnlineKeys(root, verified.root) ? metadata : undefined,
      update: { timestamp: update.timestamp, snapshot: update.snapshot, targets: update.targets },
      verified,
      now,
    });
  }

  /** A newer root is kept as soon as it verifies, whatever becomes of the rest (TUF's progress rule). */
  #keepRoot({ root, rootBytes }: Judged, now: number): void {
    const floors = { ...this.#floors, root: root.signed.version };
    const { metadata } = this.#held;
    const believed = verifyAgain(this.#directory, this.#identity, floors, root, metadata, now);
    this.#keep({ root, rootBytes, metadata, believed, hint: noHint }, floors, undefined);
  }

  #keep(held: Held, floors: Floors, bundle: Digested | undefined): void {
    const { rootBytes: root, metadata, hint } = held;
    writeOrRefuse(() => {
      writeFloors(this.#directory, floors);
      this.#floors = floors;
      writeGeneration(join(this.#directory, "trust"), { root, metadata, hint });
      if (bundle !== undefined)
        writeBundle(this.#directory, bundle, this.#held.believed?.bundle.sha256);
      this.#held = held;
    });
  }

  /** The very same update again, as after an apply that failed: nothing to write. */
  #holds(update: MetadataBytes): boolean {
    const { metadata, believed } = this.#held;
    return (
      metadata !== undefined &&
      believed !== undefined &&
      onlineRoles.every((role) => Buffer.compare(metadata[role], update[role]) === 0)
    );
  }
}

function writeOrRefuse(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (isErrno(error))
      throw new Refused("state_unwritable", `state directory: ${error.code ?? "unwritable"}`);
    throw error;
  }
}

const sameOnlineKeys = (a: RootFile, b: RootFile): boolean =>
  onlineRoles.every((role) => keysetOf(a.signed, role) === keysetOf(b.signed, role));
