/**
 * Targets that operators sign (DESIGN §7, *sealed*): the control plane says what is to be signed, exact bytes, takes
 * signatures of the keys that the root in force names, and publishes once a threshold holds. It can add its own where
 * the root names it too, and that is never enough. Must never publish targets below the threshold.
 */
import * as z from "zod";
import { keyIdOf } from "#core/tuf/read.ts";
import type { BundleCustom } from "#schema/bundle.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { compareText } from "#schema/order.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { type Root, Signature, Targets, tufKey } from "#schema/tuf.ts";
import { toHex, utf8 } from "#worker/lib/encoding.ts";
import type { Signer } from "#worker/ports/index.ts";
import {
  bundleOf,
  type Content,
  type Lease,
  makeNextTargets,
  publishTargets,
  readCustom,
} from "./repository.ts";
import { operatorsLifetime } from "./metadata.ts";
import { holds } from "./verify.ts";
import type { Pending, Proposed, Repository } from "./types.ts";

interface CosignState {
  readonly root: Root;
  readonly previous: Repository | undefined;
  /** What waits already; it is superseded. */
  readonly waiting: Pending | undefined;
}

export interface ProposeInput extends Lease, CosignState {
  readonly host: string;
  readonly revision: number;
  readonly mode: BundleCustom["mode"];
  readonly ruleset: Ruleset;
}

/**
 * What operators are to sign for a host.
 * @returns undefined when that is what waits already, or what is published and nothing waits
 * @throws BundleTooLarge
 */
export async function proposeHost(input: ProposeInput): Promise<Proposed | undefined> {
  const { host, mode, previous, revision, waiting } = input;
  const { bytes, sha256 } = await bundleOf(host, input.ruleset);
  const last = waiting ?? previous;
  if (last?.bundle_sha256 === sha256 && customOf(last).mode === mode) return undefined;
  const minRevision = last === undefined ? 0 : customOf(last).min_revision;
  const bundle = { sha256, length: bytes.length };
  return {
    pending: await propose(input, { host, previous, revision, minRevision, mode, bundle }),
    bundle: bytes,
  };
}

/** The published content once more under the next seq, where it must be signed by other keys or for longer. */
export function proposeAgain(
  lease: Lease & CosignState & { readonly previous: Repository },
): Promise<Pending> {
  const { previous } = lease;
  const { min_revision: minRevision, mode } = readCustom(previous);
  const bundle = { sha256: previous.bundle_sha256, length: previous.bundle_length };
  const { host, revision } = previous;
  return propose(lease, { host, previous, revision, minRevision, mode, bundle });
}

async function propose(lease: Lease & CosignState, content: Content): Promise<Pending> {
  const { root, signer, waiting } = lease;
  const { seq, expiresAt, payload } = makeNextTargets(
    lease,
    content,
    operatorsLifetime,
    waiting?.seq,
  );
  const targets = formatCanonical(payload);
  return {
    host: content.host,
    seq,
    revision: content.revision,
    bundle_sha256: content.bundle.sha256,
    bundle_length: content.bundle.length,
    targets,
    targets_expires_at: expiresAt,
    signatures: JSON.stringify(await makeOwnSignatures(root, signer, targets)),
    at: lease.now,
  };
}

/** This control plane's signature, where the root names its key for targets. */
export async function makeOwnSignatures(
  root: Root,
  signer: Signer,
  targets: string,
): Promise<readonly Signature[]> {
  const keyid = keyIdOf(tufKey(toHex(await signer.publicKey("targets"))));
  if (!root.roles.targets.keyids.includes(keyid)) return [];
  return [{ keyid, sig: toHex(await signer.sign("targets", utf8(targets))) }];
}

const customOf = (from: Pending | Repository): BundleCustom =>
  "signatures" in from
    ? Targets.parse(JSON.parse(from.targets)).targets["bundle.json"].custom
    : readCustom(from);

const Signatures = z.array(Signature);

/** Signatures over what waits by keys that `root` names for targets, one a key, by key id. */
export function signaturesOf(pending: Pending, root: Root): readonly Signature[] {
  return Signatures.parse(JSON.parse(pending.signatures)).filter(({ keyid }) =>
    root.roles.targets.keyids.includes(keyid),
  );
}

/** What waits, with these signatures besides. @returns undefined when one is of no targets key or does not hold */
export async function addSignatures(
  pending: Pending,
  root: Root,
  added: readonly Signature[],
): Promise<Pending | undefined> {
  const bytes = utf8(pending.targets);
  for (const { keyid, sig } of added) {
    const key = root.roles.targets.keyids.includes(keyid) ? root.keys[keyid] : undefined;
    if (key === undefined || !(await holds({ key, sig, bytes }))) return undefined;
  }
  const all = new Map([...signaturesOf(pending, root), ...added].map((one) => [one.keyid, one]));
  const signatures = [...all.values()].toSorted((a, b) => compareText(a.keyid, b.keyid));
  return { ...pending, signatures: JSON.stringify(signatures) };
}

/** The repository with what waited as its targets. @returns undefined while signatures are missing */
export async function publishPending(
  lease: Lease & Pick<CosignState, "root" | "previous">,
  pending: Pending,
): Promise<Repository | undefined> {
  const signatures = signaturesOf(pending, lease.root);
  if (signatures.length < lease.root.roles.targets.threshold) return undefined;
  const text = formatCanonical({ signatures, signed: JSON.parse(pending.targets) as unknown });
  const { host, seq, revision, targets_expires_at: expiresAt } = pending;
  const bundle = { sha256: pending.bundle_sha256, length: pending.bundle_length };
  return publishTargets(
    lease,
    { host, previous: lease.previous, revision, bundle },
    { seq, text, expiresAt },
  );
}
