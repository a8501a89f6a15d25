/** Bundles on disk, `bundles/DIGEST.json`: the one that is believed and the one before it. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Digested } from "#core/tuf/verify.ts";
import { readOptional, removeDurable, writeDurable } from "#agent/disk/files.ts";
import { sha256 } from "#agent/disk/digest.ts";

const bundleFile = (directory: string, digest: string): string =>
  join(directory, "bundles", `${digest}.json`);

/** Undefined when there is none of that digest; a damaged one is none. */
export function readBundle(directory: string, digest: string): Uint8Array | undefined {
  const bytes = readOptional(bundleFile(directory, digest));
  return bytes !== undefined && sha256(bytes) === digest ? bytes : undefined;
}

/** Keeps the bundle and the one before it; others go. */
export function writeBundle(
  directory: string,
  { bytes, sha256: digest }: Digested,
  before: string | undefined,
): void {
  if (readBundle(directory, digest) === undefined)
    writeDurable(bundleFile(directory, digest), bytes);
  const keep = new Set([`${digest}.json`, `${before ?? digest}.json`]);
  for (const name of readdirSync(join(directory, "bundles")))
    if (!keep.has(name)) removeDurable(join(directory, "bundles", name));
}
