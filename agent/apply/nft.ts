/**
 * nftables on this host: check, load, read back, count and remove, on the table `inet portcullis` and nothing else.
 * A load is one transaction: the kernel holds the new program, or what it held before.
 */
import { createHash } from "node:crypto";
import type { CounterReading } from "#schema/wire.ts";
import {
  emptyInventory,
  type Inventory,
  inventoryOf,
  print,
  type Program,
  removal,
  skeleton,
} from "#render/index.ts";
import { elementDifferences, structureDifferences } from "./difference.ts";
import { inventoryOfListing, type Listing, parseListing } from "./listing.ts";
import type { Exec, ExecResult } from "./spawn.ts";

export type ApplyCode = "check_failed" | "load_failed" | "readback_mismatch";

/** Why the kernel does not hold a program. `message` is nft's first line, or the first difference. */
export class ApplyError extends Error {
  readonly code: ApplyCode;
  constructor(code: ApplyCode, message: string, options?: ErrorOptions) {
    super(message, options);
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
  /**
   * Proves that the kernel holds this program, every element of it; and if it was loaded here, that no rule reads
   * otherwise than it did then. @throws {ApplyError} readback_mismatch
   */
  readback(program: Program): Promise<void>;
  /** What the kernel holds otherwise than this program; elements are listed at `full` only. @throws {ApplyError} */
  differences(program: Program, detail: Detail): Promise<Differences>;
  /**
   * Check, load and readback. The check is of rules and objects, and only when they differ from the last ones this
   * kernel admitted; big sets are not listed again, as they came in the transaction whose rules are read back.
   * @throws {ApplyError}
   */
  apply(program: Program): Promise<Applied>;
  /** Our named counters, in the listing's order. */
  counters(): Promise<readonly CounterReading[]>;
  /** Deletes our table; nothing of it may be there. */
  remove(): Promise<void>;
}

export interface Differences {
  /** In words, most telling first; empty when there is none. */
  readonly changes: readonly string[];
  /** False when this program was not loaded here, so that a rule's matches could not be compared. */
  readonly exact: boolean;
}

/** Up to here a listing of all elements costs less than starting nft does. */
export const elementsListedMax = 256;
/** `-t` leaves out elements, and then a listing costs the same at any size. */
const details = { terse: ["-t"], full: [] } as const;
export type Detail = keyof typeof details;

/** @param path of the nft program */
export function openNft(exec: Exec, path = "nft"): Nft {
  const check = async (text: string): Promise<void> =>
    demand("check_failed", await exec([path, "-c", "-f", "-"], text));
  const load = async (text: string): Promise<void> =>
    demand("load_failed", await exec([path, "-f", "-"], text));
  const list = async (detail: Detail): Promise<Listing> =>
    listed(await exec([path, ...details[detail], "-j", "list", "ruleset"], ""));
  /** The same from an interactive nft (`-i`), which starts now and asks the kernel once `begin` resolves. */
  const listAfter = async (begin: Promise<void>, detail: Detail): Promise<Listing> => {
    const question = begin.then(() => "list ruleset\n");
    return listed(await exec([path, ...details[detail], "-j", "-i"], question, "line"));
  };
  const memory: Memory = { admitted: "", inventory: undefined, loaded: undefined };
  const digest = digests();
  const inventory = async (): Promise<Inventory> => inventoryOfListing(await list("terse"));

  /** Loads and reads back; the listing's nft starts while the other is at work, as starting takes as long as listing. */
  const attempt = async (program: Program, present: Inventory): Promise<Applied> => {
    const few = elementCount(program) <= elementsListedMax;
    const { text, canonical } = print(program, present);
    const loading = load(text);
    const listing = listAfter(loading, few ? "full" : "terse");
    const applied = { text, programSha256: sha256(canonical) };
    const [loaded, read] = await Promise.allSettled([loading, listing]);
    if (loaded.status === "rejected") throw loaded.reason;
    if (read.status === "rejected") throw read.reason;
    agree(structureDifferences(program, read.value, undefined));
    if (few) agree(elementDifferences(program, read.value));
    memory.loaded = { ...applied, rules: read.value.rules };
    return applied;
  };

  const apply = async (program: Program): Promise<Applied> => {
    const declared = skeleton(program);
    if (memory.admitted !== declared) await check(declared);
    const remembered = memory.inventory;
    memory.inventory = undefined;
    const applied = await (remembered === undefined
      ? attempt(program, await inventory())
      : attempt(program, remembered).catch(async (error: unknown) => {
          if (!(error instanceof ApplyError)) throw error;
          return attempt(program, await inventory());
        }));
    memory.admitted = declared;
    memory.inventory = inventoryOf(program);
    return applied;
  };
  const differences = async (program: Program, detail: Detail): Promise<Differences> => {
    const held = await list(detail);
    const before = memory.loaded?.programSha256 === digest(program) ? memory.loaded.rules : undefined;
    const members = detail === "full" && held.exists ? elementDifferences(program, held) : [];
    const changes = [...structureDifferences(program, held, before), ...members];
    // Somebody was here: what this process remembers of the kernel is no longer true.
    if (changes.length > 0) memory.inventory = undefined;
    return { changes, exact: before !== undefined };
  };
  return {
    check,
    load,
    inventory,
    readback: async (program) => agree((await differences(program, "full")).changes),
    differences,
    apply,
    counters: async () =>
      (await list("terse")).counters.map(({ name, packets, bytes }) => ({ name, packets, bytes })),
    remove: () => load(removal),
  };
}

/** What the last apply left in the kernel. */
interface Memory {
  admitted: string;
  /**
   * A guess, for speed only: when somebody else changed our table since, the load or its readback fails and the apply
   * is done again from a fresh inventory.
   */
  inventory: Inventory | undefined;
  /** The rules as nft listed them right after they were loaded. */
  loaded: { readonly programSha256: string; readonly rules: Listing["rules"] } | undefined;
}

/** `programSha256`, once for each program that is still in use: printing a big one takes a while. */
function digests(): (program: Program) => string {
  const known = new WeakMap<Program, string>();
  return (program) => {
    const digest = known.get(program) ?? programSha256(program);
    known.set(program, digest);
    return digest;
  };
}

export const elementCount = (program: Program): number =>
  [...program.sets, ...program.maps].reduce((sum, { elements }) => sum + elements.length, 0);

/** An interactive nft says on stderr what went wrong and ends with 0, so what it printed decides. */
function listed(result: ExecResult): Listing {
  demand("readback_mismatch", result);
  try {
    return parseListing(result.stdout);
  } catch (cause) {
    const [first = ""] = result.stderr.split("\n");
    throw new ApplyError("readback_mismatch", `expected a listing of nft's: ${first}`, { cause });
  }
}

function agree([first]: readonly string[]): void {
  if (first !== undefined) throw new ApplyError("readback_mismatch", first);
}

/** Digest of a program; the same for equal programs, whatever a kernel held before. */
export const programSha256 = (program: Program): string => sha256(print(program, emptyInventory).canonical);

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function demand(code: ApplyCode, result: ExecResult): void {
  if (result.status === 0) return;
  const [first = ""] = result.stderr.split("\n");
  throw new ApplyError(code, first === "" ? `nft ended with ${result.status}` : first);
}
