/**
 * The second opinion: stock tuf-js over the very bytes our own checks passed. It must agree, or the update is refused.
 *
 * It runs in a scratch directory that nothing reads afterwards, because it persists with bare writes and cannot
 * recover from the files a power loss leaves. Its messages name no cause, so it gives no codes.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Updater } from "tuf-js";
import { DownloadHTTPError } from "tuf-js/dist/error.js";
import { Refused } from "#core/refused.ts";
import { onlineRoles, type Verified } from "#core/tuf/verify.ts";
import { bundlePath, sizeLimits } from "#schema/bundle.ts";
import { isErrno } from "#agent/disk/files.ts";
import type { MetadataBytes } from "./generations.ts";

export interface Opinion {
  readonly scratch: string;
  /** The root trusted before this update, and its successors in order. */
  readonly root: Uint8Array;
  readonly successors: readonly { readonly version: number; readonly bytes: Uint8Array }[];
  /** What was trusted before, unless a key set changed since: its versions then count from the new keys. */
  readonly before: MetadataBytes | undefined;
  readonly update: MetadataBytes;
  readonly verified: Verified;
  /** Milliseconds since the Unix epoch: the time that the first verifier went by. */
  readonly now: number;
}

/** @throws Refused `signature_invalid` when tuf-js does not come to the same target, `state_unwritable` on a full disk */
export async function confirmWithTufJs(opinion: Opinion): Promise<void> {
  const { scratch, verified } = opinion;
  rmSync(scratch, { recursive: true, force: true });
  try {
    mkdirSync(scratch, { mode: 0o700 });
    writeFileSync(join(scratch, "root.json"), opinion.root);
    for (const role of onlineRoles)
      if (opinion.before !== undefined)
        writeFileSync(join(scratch, `${role}.json`), opinion.before[role]);
    const updater = new Updater({
      metadataDir: scratch,
      metadataBaseUrl: "https://envelope.invalid",
      fetcher: makeEnvelopeFetcher(opinion),
      config: { maxRootRotations: sizeLimits.newRoots + 1, rootMaxLength: sizeLimits.root },
    });
    setTime(updater, new Date(opinion.now));
    const target = await updater.getTargetInfo(bundlePath);
    if (
      target?.hashes["sha256"] !== verified.bundle.sha256 ||
      target.length !== verified.bundle.length
    )
      throw new Refused("signature_invalid", "the second verifier found another bundle");
  } catch (error) {
    if (error instanceof Refused) throw error;
    if (isErrno(error)) throw new Refused("state_unwritable", `trust: ${error.code}`);
    throw new Refused(
      "signature_invalid",
      "the second verifier refuses what the first one accepts",
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Makes tuf-js go by a time. It has no option for this, and its own is the wall clock, which may be one that is not
 * believed. Where it keeps its time elsewhere, nothing is accepted: test/unit/agent-engine.test.ts goes red then.
 */
export function setTime(updater: Updater, time: Date): void {
  const set: unknown = Reflect.get(updater, "trustedSet");
  if (!(set instanceof Object) || !(Reflect.get(set, "referenceTime") instanceof Date))
    throw new Refused("signature_invalid", "the second verifier cannot be told the time");
  Reflect.set(set, "referenceTime", time);
}

/** Serves the envelope's bytes by the names of a plain TUF repository; anything else, the next root above all, is 404. */
function makeEnvelopeFetcher(opinion: Opinion) {
  const { update, verified } = opinion;
  const files = new Map<string, Uint8Array>([
    ["/timestamp.json", update.timestamp],
    [`/${verified.snapshot.signed.version}.snapshot.json`, update.snapshot],
    [`/${verified.targets.signed.version}.targets.json`, update.targets],
    ...opinion.successors.map(({ version, bytes }) => [`/${version}.root.json`, bytes] as const),
  ]);
  return {
    async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
      const bytes = files.get(new URL(url).pathname);
      if (bytes === undefined || bytes.length > maxLength)
        throw new DownloadHTTPError("not in the envelope", 404);
      return Buffer.from(bytes);
    },
    async downloadFile(): Promise<never> {
      throw new DownloadHTTPError("targets are not downloaded by the engine", 404);
    },
  };
}
