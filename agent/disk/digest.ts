/** Digests by which files, bundles and programs are told apart. */
import { createHash } from "node:crypto";
import { emptyInventory, type Program, print } from "#core/render/index.ts";

export const sha256 = (content: Uint8Array | string): string =>
  createHash("sha256").update(content).digest("hex");

/** Digest of a program; the same for equal programs, whatever a kernel held before. */
export const programSha256 = (program: Program): string =>
  sha256(print(program, emptyInventory).canonical);
