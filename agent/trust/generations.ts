/**
 * The metadata this host last believed, as numbered directories: `trust/gNNNNNN/`, and `current` pointing at one.
 * A generation is complete before the link moves; a damaged one means the one before it, never a fresh start.
 * The ETag lives inside, so that it can only move together with verified metadata (OPA #2220, #4544).
 */
import { mkdirSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { type OnlineRole, onlineRoles } from "#core/tuf/verify.ts";
import { EntityTag, GenerationTag } from "#schema/wire.ts";
import { isErrno, linkDurable, readOptional, writeDurable } from "#agent/disk/files.ts";

export type MetadataBytes = Readonly<Record<OnlineRole, Uint8Array>>;

/** What the control plane said beside the metadata; unsigned, so it only ever saves work. */
export const Hint = z.strictObject({
  etag: EntityTag.nullable(),
  generation: GenerationTag.nullable(),
  /** When this timestamp came, by this host's clock, milliseconds since the Unix epoch: half of the lease counts from here. */
  accepted_at: z.int().min(0).nullable(),
});
export type Hint = z.infer<typeof Hint>;
export const noHint: Hint = { etag: null, generation: null, accepted_at: null };

export interface Generation {
  readonly root: Uint8Array;
  /** Absent before the first update, or after a crash tore them. */
  readonly metadata: MetadataBytes | undefined;
  readonly hint: Hint;
}

/** Readable generations, the current one first, then newest first. Content is not judged here. */
export function* readGenerations(directory: string): Generator<Generation> {
  const current = readCurrent(directory);
  const names = generationNames(directory).toReversed();
  const ordered = names.toSorted((a, b) => Number(b === current) - Number(a === current));
  for (const name of ordered) {
    const file = (leaf: string): Buffer | undefined => readOptional(join(directory, name, leaf));
    const root = file("root.json");
    if (root === undefined) continue;
    const [timestamp, snapshot, targets] = ["timestamp.json", "snapshot.json", "targets.json"].map(
      file,
    );
    const whole = timestamp !== undefined && snapshot !== undefined && targets !== undefined;
    yield {
      root,
      metadata: whole ? { timestamp, snapshot, targets } : undefined,
      hint: readHint(file("hint.json")),
    };
  }
}

/** Writes a generation and makes it current; the one before stays, to fall back to. */
export function writeGeneration(directory: string, generation: Generation): void {
  const names = generationNames(directory);
  const last = Number(names.at(-1)?.slice(1) ?? 0);
  const name = `g${String(last + 1).padStart(6, "0")}`;
  const path = join(directory, name);
  mkdirSync(path, { mode: 0o700 });
  writeDurable(join(path, "root.json"), generation.root);
  for (const role of onlineRoles)
    if (generation.metadata !== undefined)
      writeDurable(join(path, `${role}.json`), generation.metadata[role]);
  writeDurable(join(path, "hint.json"), JSON.stringify(generation.hint));
  const before = readCurrent(directory);
  linkDurable(join(directory, "current"), name);
  const keep = new Set([name, before]);
  for (const old of names)
    if (!keep.has(old)) rmSync(join(directory, old), { recursive: true, force: true });
}

function readCurrent(directory: string): string | undefined {
  try {
    return readlinkSync(join(directory, "current"));
  } catch (error) {
    if (isErrno(error)) return undefined; // no link, or something else in its place: newest first
    throw error;
  }
}

/** Sorted, oldest first. The number has at least six digits and may grow, so it is compared as a number. */
const generationNames = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => /^g\d{6,15}$/.test(name))
    .toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)));

function readHint(bytes: Buffer | undefined): Hint {
  try {
    const hint = Hint.safeParse(JSON.parse(bytes?.toString("utf8") ?? "null"));
    return hint.success ? hint.data : noHint;
  } catch {
    return noHint; // torn: the next poll fetches once more than it had to
  }
}
