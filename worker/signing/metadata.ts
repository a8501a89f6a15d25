/**
 * The three online files of one host's TUF repository, as payloads to sign. Pure but for the clock value handed in.
 * Targets live 30 days, as long as any may where operators sign them; a snapshot as long as any may; the timestamp is the
 * lease (schema/tuf.ts).
 */
import { bundlePath, type BundleCustom, type SnapshotCustom } from "#schema/bundle.ts";
import {
  longestLife,
  type Snapshot,
  specVersion,
  type Targets,
  type Timestamp,
} from "#schema/tuf.ts";
import { hashSha256, utf8 } from "#worker/lib/encoding.ts";

const day = 86_400_000;
export const targetsLifetime = 30 * day;
export const operatorsLifetime = longestLife.targets;
export const snapshotLifetime = longestLife.snapshot;

/** TUF's date form, to the second; fractions of a second are cut. */
export const tufDate = (milliseconds: number): string =>
  `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

interface Pinned {
  readonly version: number;
  readonly length: number;
  readonly hashes: { readonly sha256: string };
}

/** What one metadata file says about the next: exact length in bytes and hash. */
export async function pin(version: number, text: string): Promise<Pinned> {
  const bytes = utf8(text);
  return { version, length: bytes.length, hashes: { sha256: await hashSha256(bytes) } };
}

export const targetsPayload = (
  custom: BundleCustom,
  bundle: { readonly length: number; readonly sha256: string },
  expiresAt: number,
): Targets => ({
  _type: "targets",
  spec_version: specVersion,
  version: custom.seq,
  expires: tufDate(expiresAt),
  targets: { [bundlePath]: { length: bundle.length, hashes: { sha256: bundle.sha256 }, custom } },
});

export const snapshotPayload = (
  version: number,
  targets: Pinned,
  custom: SnapshotCustom,
  expiresAt: number,
): Snapshot => ({
  _type: "snapshot",
  spec_version: specVersion,
  version,
  expires: tufDate(expiresAt),
  meta: { "targets.json": targets },
  custom,
});

export const timestampPayload = (
  version: number,
  snapshot: Pinned,
  expiresAt: number,
): Timestamp => ({
  _type: "timestamp",
  spec_version: specVersion,
  version,
  expires: tufDate(expiresAt),
  meta: { "snapshot.json": snapshot },
});
