/**
 * Committed rulesets on disk: `slots/{a,b}/{ruleset.nft, program.json, meta.json}`. A commit overwrites the older slot,
 * meta last, so a crash tears at most the slot that was not in use. A torn slot means the other one.
 *
 * `ruleset.nft` is the whole text for a kernel that holds nothing of ours: plain nft can load it without this agent.
 */
import { join } from "node:path";
import * as z from "zod";
import { Revision, Sha256 } from "#schema/primitives.ts";
import { emptyInventory, type Program, transaction } from "#render/index.ts";
import { programSha256 } from "./apply/nft.ts";
import { isErrno, makeDirectory, readOptional, writeDurable } from "./persist.ts";
import { Refused } from "./refusal.ts";
import type { Committed } from "./state.ts";
import { sha256 } from "./trust/keys.ts";

const Meta = z.strictObject({
  /** Rises with every commit; tells the newer slot. */
  n: z.int().min(1),
  committed_at: z.iso.datetime(),
  applied: z.strictObject({
    seq: z.int().min(1),
    revision: Revision,
    bundle_sha256: Sha256,
    mode: z.enum(["enforce", "closed"]),
    program_sha256: Sha256,
    guard_sha256: Sha256,
    renderer: z.string(),
  }),
});
type Meta = z.infer<typeof Meta>;

export interface Slot extends Meta {
  readonly program: Program;
}

const names = ["a", "b"] as const;

/** The newest whole slot, or undefined before the first commit. */
export function committedSlot(directory: string): Slot | undefined {
  return names
    .map((name) => readSlot(join(directory, "slots", name)))
    .filter((slot) => slot !== undefined)
    .toSorted((a, b) => b.n - a.n)[0];
}

/** Whether a slot exists at all: a host that has committed once is never treated as new, even with both slots torn. */
export const everCommitted = (directory: string): boolean =>
  names.some((name) => readOptional(join(directory, "slots", name, "meta.json")) !== undefined);

/** @throws Refused `state_unwritable` */
export function commitSlot(directory: string, applied: Committed, program: Program, now: number): void {
  const n = (committedSlot(directory)?.n ?? 0) + 1;
  const path = join(directory, "slots", names[n % names.length] ?? names[0]);
  const meta: Meta = { n, committed_at: new Date(now).toISOString(), applied };
  try {
    makeDirectory(path);
    writeDurable(join(path, "ruleset.nft"), transaction(program, emptyInventory));
    writeDurable(join(path, "program.json"), JSON.stringify(program));
    writeDurable(join(path, "meta.json"), `${JSON.stringify(meta, null, 2)}\n`);
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `slots: ${error.code}`);
    throw error;
  }
}

function readSlot(path: string): Slot | undefined {
  const [meta, program, text] = ["meta.json", "program.json", "ruleset.nft"].map((leaf) =>
    readOptional(join(path, leaf)),
  );
  if (meta === undefined || program === undefined || text === undefined) return undefined;
  try {
    const parsed = Meta.parse(JSON.parse(meta.toString("utf8")));
    // Not parsed but recognised: a program is what gives the very text whose digest was committed.
    const read = JSON.parse(program.toString("utf8")) as Program;
    const whole =
      sha256(text) === parsed.applied.program_sha256 && programSha256(read) === parsed.applied.program_sha256;
    return whole ? { ...parsed, program: read } : undefined;
  } catch {
    return undefined; // torn
  }
}
