/**
 * Publishing one host: its ruleset becomes a bundle, and the bundle a TUF repository of its own (DESIGN §7).
 * Equal bytes publish nothing, so an unchanged host keeps digest, seq and ETag. Versions only rise, and never below
 * what the host says it has seen: a control plane restored to an older day goes on from there.
 * Must never see a private key or a clock: both come in.
 */
import { type BundleCustom, bundlePath, encodeBundle, sizeLimits } from "#schema/bundle.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { envelope, operatorsSign, type Root, Targets } from "#schema/tuf.ts";
import { hashSha256, utf8 } from "#worker/lib/encoding.ts";
import type { Signer } from "#worker/ports/index.ts";
import {
  pin,
  snapshotLifetime,
  snapshotPayload,
  targetsLifetime,
  targetsPayload,
  timestampPayload,
  tufDate,
} from "./metadata.ts";
import { signMetadata } from "./sign.ts";
import { findOutdated } from "./signers.ts";
import type { Published, Repository } from "./types.ts";

/** Versions that a host has seen signed by us; new ones are larger. */
export interface Floor {
  readonly timestamp: number;
  readonly targets: number;
}

export interface Lease {
  readonly fleet: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly leaseSeconds: number;
  readonly signer: Signer;
  readonly floor?: Floor;
}

export interface PublishInput extends Lease {
  readonly host: string;
  readonly revision: number;
  /** `closed`: the host is to close, whatever the ruleset; what a deleted host is told. */
  readonly mode: BundleCustom["mode"];
  readonly ruleset: Ruleset;
  readonly previous: Repository | undefined;
}

export interface RenewInput extends Lease {
  readonly previous: Repository;
  /** The root in force. */
  readonly root: Root;
}

/** A host's bundle or metadata is larger than any agent reads; the revision is refused with this diagnostic. */
export class BundleTooLarge extends Error {
  override readonly name = "BundleTooLarge";
  readonly diagnostic: Diagnostic;

  constructor(host: string, what: string, bytes: number, most: number) {
    const message = `${what} of host ${host} has ${bytes} bytes, the limit is ${most}`;
    super(message);
    this.diagnostic = {
      severity: "error",
      code: "bundle_too_large",
      path: `/hosts/${host}`,
      message,
    };
  }
}

/**
 * Signs a host's next repository, or the first.
 * @returns undefined when the bundle's bytes and mode are those of `previous`. `generation` is carried over from `previous`
 * (0 at first): the batch that stores the row sets it
 * @throws BundleTooLarge
 */
export async function publishHost(input: PublishInput): Promise<Published | undefined> {
  const { host, mode, previous } = input;
  const { bytes, sha256 } = await bundleOf(host, input.ruleset);
  const custom = previous === undefined ? undefined : readCustom(previous);
  if (previous?.bundle_sha256 === sha256 && custom?.mode === mode) return undefined;
  const repository = await signTargets(input, {
    host,
    previous,
    revision: input.revision,
    minRevision: custom?.min_revision ?? 0,
    mode,
    bundle: { sha256, length: bytes.length },
  });
  return { repository, bundle: bytes };
}

/** A host's bundle as it is published, and its digest. @throws BundleTooLarge */
export async function bundleOf(
  host: string,
  ruleset: Ruleset,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly sha256: string }> {
  const bytes = encodeBundle(ruleset);
  limit(host, "bundle", bytes.length);
  return { bytes, sha256: await hashSha256(bytes) };
}

/**
 * Extends the lease: a new timestamp over the same content. Snapshot and targets are signed anew only past half of
 * their lives, below the host's floor, or where the root names other keys than those that signed; the targets then get
 * the next seq with the same bundle. Targets that operators sign stay as they are.
 */
export async function renewLease(input: RenewInput): Promise<Repository> {
  const { previous, now } = input;
  continues(input, previous);
  const floor = input.floor ?? { timestamp: 0, targets: 0 };
  const anew = findOutdated(input.root, previous);
  const ageing = previous.targets_expires_at - now < targetsLifetime / 2;
  const targets = ageing || floor.targets > previous.seq || anew.has("targets");
  if (targets && !operatorsSign(input.root)) {
    const { min_revision, mode } = readCustom(previous);
    return signTargets(input, {
      host: previous.host,
      previous,
      revision: previous.revision,
      minRevision: min_revision,
      mode,
      bundle: { sha256: previous.bundle_sha256, length: previous.bundle_length },
    });
  }
  const stale = previous.snapshot_expires_at - now < snapshotLifetime / 2;
  if (stale || floor.timestamp > previous.timestamp_version || anew.has("snapshot"))
    return signSnapshot(input, previous);
  return signTimestamp(input, previous);
}

export interface Content {
  readonly host: string;
  readonly previous: Repository | undefined;
  readonly revision: number;
  readonly minRevision: number;
  readonly mode: BundleCustom["mode"];
  readonly bundle: { readonly sha256: string; readonly length: number };
}

type WithTargets = Omit<
  Repository,
  "snapshot" | "snapshot_expires_at" | "timestamp" | "lease_issued_at" | "lease_expires_at"
>;
type WithSnapshot = Omit<Repository, "timestamp" | "lease_issued_at" | "lease_expires_at">;

/**
 * The targets of a host's next seq, unsigned.
 * @param lifetime milliseconds
 * @param above a seq that was used besides those of `previous` and the floor
 */
export function makeNextTargets(lease: Lease, content: Content, lifetime: number, above = 0) {
  const { host, previous, bundle } = content;
  if (previous !== undefined) continues(lease, previous);
  const seq = Math.max(previous?.seq ?? 0, lease.floor?.targets ?? 0, above) + 1;
  const expiresAt = wholeSecond(lease.now + lifetime);
  const custom: BundleCustom = {
    host,
    fleet: lease.fleet,
    seq,
    revision: content.revision,
    min_revision: content.minRevision,
    issued: tufDate(lease.now),
    prev: previous === undefined ? null : { seq: previous.seq, sha256: previous.bundle_sha256 },
    mode: content.mode,
    crit: [],
  };
  return { seq, expiresAt, payload: targetsPayload(custom, bundle, expiresAt) };
}

async function signTargets(lease: Lease, content: Content): Promise<Repository> {
  const { seq, expiresAt, payload } = makeNextTargets(lease, content, targetsLifetime);
  const targets = await signMetadata(lease.signer, "targets", payload);
  return publishTargets(lease, content, { seq, text: targets, expiresAt });
}

/** The repository over targets that are signed. @throws BundleTooLarge */
export async function publishTargets(
  lease: Lease,
  content: Pick<Content, "host" | "previous" | "revision" | "bundle">,
  targets: { readonly seq: number; readonly text: string; readonly expiresAt: number },
): Promise<Repository> {
  const { host, previous, bundle } = content;
  limit(host, "targets", utf8(targets.text).length);
  return signSnapshot(lease, {
    host,
    seq: targets.seq,
    revision: content.revision,
    generation: previous?.generation ?? 0,
    bundle_sha256: bundle.sha256,
    bundle_length: bundle.length,
    targets: targets.text,
    targets_expires_at: targets.expiresAt,
    snapshot_version: previous?.snapshot_version ?? 0,
    timestamp_version: previous?.timestamp_version ?? 0,
  });
}

async function signSnapshot(lease: Lease, base: WithTargets): Promise<Repository> {
  // A snapshot's version never passes its timestamp's, so the timestamp seen is a floor for both.
  const version = Math.max(base.snapshot_version, lease.floor?.timestamp ?? 0) + 1;
  const expiresAt = wholeSecond(lease.now + snapshotLifetime);
  const custom = { host: base.host, fleet: lease.fleet };
  const payload = snapshotPayload(version, await pin(base.seq, base.targets), custom, expiresAt);
  const snapshot = await signMetadata(lease.signer, "snapshot", payload);
  limit(base.host, "snapshot", utf8(snapshot).length);
  return signTimestamp(lease, {
    ...base,
    snapshot,
    snapshot_version: version,
    snapshot_expires_at: expiresAt,
  });
}

async function signTimestamp(lease: Lease, base: WithSnapshot): Promise<Repository> {
  const version = Math.max(base.timestamp_version, lease.floor?.timestamp ?? 0) + 1;
  const expiresAt = wholeSecond(lease.now + lease.leaseSeconds * 1000);
  const payload = timestampPayload(
    version,
    await pin(base.snapshot_version, base.snapshot),
    expiresAt,
  );
  const timestamp = await signMetadata(lease.signer, "timestamp", payload);
  limit(base.host, "timestamp", utf8(timestamp).length);
  return {
    ...base,
    timestamp,
    timestamp_version: version,
    lease_issued_at: lease.now,
    lease_expires_at: expiresAt,
  };
}

/** A host's metadata is never carried on under another fleet's name: the host would refuse it for ever. */
function continues({ fleet }: Lease, previous: Repository): void {
  const { fleet: signed, host } = readCustom(previous);
  if (signed !== fleet)
    throw new Error(
      `host ${host} belongs to fleet ${signed} and this control plane is set up for ${fleet}`,
    );
}

const wholeSecond = (milliseconds: number): number => Math.floor(milliseconds / 1000) * 1000;

function limit(
  host: string,
  what: "bundle" | "targets" | "snapshot" | "timestamp",
  bytes: number,
): void {
  if (bytes > sizeLimits[what]) throw new BundleTooLarge(host, what, bytes, sizeLimits[what]);
}

/** What was signed before, read back from the stored targets. */
export function readCustom(repository: Repository): BundleCustom {
  return envelope(Targets).parse(JSON.parse(repository.targets)).signed.targets[bundlePath].custom;
}
