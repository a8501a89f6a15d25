/**
 * nftables on this host: check, load, read back, count and remove, on the table `inet portcullis` and nothing else.
 * A load is one transaction: the kernel holds the new program, or what it held before.
 */
import { createHash } from "node:crypto";
import type { CounterReading } from "#schema/wire.ts";
import {
  emptyInventory,
  type Inventory,
  type Program,
  removal,
  skeleton,
  transaction,
} from "#render/index.ts";
import { differences } from "./difference.ts";
import { inventoryOfListing, type Listing, parseListing } from "./listing.ts";
import type { Exec, ExecResult } from "./spawn.ts";

export type ApplyCode = "check_failed" | "load_failed" | "readback_mismatch";

/** Why the kernel does not hold a program. `message` is nft's first line, or the first difference. */
export class ApplyError extends Error {
  readonly code: ApplyCode;
  constructor(code: ApplyCode, message: string) {
    super(message);
    this.name = "ApplyError";
    this.code = code;
  }
}

export interface Applied {
  /** The file that was loaded. */
  readonly text: string;
  /** Of `text` without regard to what was there before: equal programs have equal digests. Lower-case hex SHA-256. */
  readonly programSha256: string;
}

export interface Nft {
  /** Has the kernel validate a file and throw it away. @throws {ApplyError} check_failed */
  check(text: string): Promise<void>;
  /** Loads a file in one transaction. @throws {ApplyError} load_failed */
  load(text: string): Promise<void>;
  /** What our table holds, without elements; an absent table holds nothing. */
  inventory(): Promise<Inventory>;
  /** Proves that the kernel holds this program, elements and all. @throws {ApplyError} readback_mismatch */
  readback(program: Program): Promise<void>;
  /** Check, load and readback. @throws {ApplyError} */
  apply(program: Program): Promise<Applied>;
  /** Our named counters, in the listing's order. */
  counters(): Promise<readonly CounterReading[]>;
  /** Deletes our table; nothing of it may be there. */
  remove(): Promise<void>;
}

/** @param path of the nft program */
export function openNft(exec: Exec, path = "nft"): Nft {
  const check = async (text: string): Promise<void> =>
    demand("check_failed", await exec([path, "-c", "-f", "-"], text));
  const load = async (text: string): Promise<void> =>
    demand("load_failed", await exec([path, "-f", "-"], text));
  const list = async (terse: boolean): Promise<Listing> => {
    const scope = terse ? ["-t", "-j", "list", "ruleset"] : ["-j", "list", "ruleset"];
    const result = await exec([path, ...scope], "");
    demand("readback_mismatch", result);
    return parseListing(result.stdout);
  };
  const inventory = async (): Promise<Inventory> => inventoryOfListing(await list(true));
  const readback = async (program: Program): Promise<void> => {
    const [first] = differences(program, await list(false));
    if (first !== undefined) throw new ApplyError("readback_mismatch", first);
  };
  const apply = async (program: Program): Promise<Applied> => {
    await check(skeleton(program));
    const text = transaction(program, await inventory());
    await load(text);
    await readback(program);
    return { text, programSha256: programSha256(program) };
  };
  const counters = async (): Promise<readonly CounterReading[]> =>
    (await list(true)).counters.map(({ name, packets, bytes }) => ({ name, packets, bytes }));
  return { check, load, inventory, readback, apply, counters, remove: () => load(removal) };
}

/** Digest of a program; the same for equal programs, whatever a kernel held before. */
export const programSha256 = (program: Program): string =>
  createHash("sha256").update(transaction(program, emptyInventory)).digest("hex");

function demand(code: ApplyCode, result: ExecResult): void {
  if (result.status === 0) return;
  const [first = ""] = result.stderr.split("\n");
  throw new ApplyError(code, first === "" ? `nft ended with ${result.status}` : first);
}
