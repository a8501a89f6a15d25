/**
 * nftables on this host: check, load, read back, count and remove, on the table `inet portcullis` and nothing else.
 * A load is one transaction: the kernel holds the new program, or what it held before.
 */
import { programSha256 } from "#agent/disk/digest.ts";
import type { CounterReading } from "#schema/wire.ts";
import {
  elementCount,
  flipNames,
  type Inventory,
  inventoryOf,
  isFlipped,
  print,
  type Program,
  removal,
  skeleton,
  stageProgram,
  makeTransaction,
} from "#core/render/index.ts";
import { ApplyError } from "./apply-error.ts";
import { type Calls, callsBy } from "./calls.ts";
import { besideOurs } from "./foreign.ts";
import { compareElements, compareStructure } from "./difference.ts";
import { inventoryOfListing, type Listing, type Others, unknownOthers } from "./listing.ts";
import type { Detail } from "./session.ts";
import type { Exec } from "#agent/process/spawn.ts";
import { Witness } from "./witness.ts";

export interface Applied {
  /** The file that was loaded. */
  readonly text: string;
}

export interface Nft {
  /** Has the kernel validate a file and throw it away. @throws {ApplyError} check_failed */
  readonly check: (text: string) => Promise<void>;
  /** Loads a file in one transaction. @throws {ApplyError} load_failed */
  readonly load: (text: string) => Promise<void>;
  /** What our table holds, without elements; an absent table holds nothing. */
  readonly inventory: () => Promise<Inventory>;
  /** Whether our table drops what no rule decides; one that counts only, and an absent one, drop nothing. */
  readonly enforces: () => Promise<boolean>;
  /**
   * Proves that the kernel holds this program, every element of it; and if it was loaded here, that no rule reads
   * otherwise than it did then. @throws {ApplyError} readback_mismatch
   */
  readonly readback: (program: Program) => Promise<void>;
  /** What the kernel holds otherwise than this program; elements are listed at `full` only. @throws {ApplyError} */
  readonly differences: (program: Program, detail: Detail) => Promise<Differences>;
  /**
   * Check, load and readback. The check is of rules and objects, and only when they differ from the last ones this
   * kernel admitted; big sets are not listed again, as they came in the transaction whose rules are read back.
   * @throws {ApplyError}
   */
  readonly apply: (program: Program) => Promise<Applied>;
  /**
   * Sends elements alone, in one transaction, and reads back as `apply` does. Undefined, with nothing sent, where more
   * differs from what was loaded here or somebody else may have been at our table since. After an error only `apply`
   * tells what the kernel holds. @throws {ApplyError}
   */
  readonly amend: (program: Program) => Promise<Applied | undefined>;
  /** Our named counters, in the listing's order. */
  readonly counters: () => Promise<readonly CounterReading[]>;
  /** What tables of others do, as they were listed last; of their drops those at hooks where ours has a chain. */
  readonly others: () => Others;
  /** Lists every table for `others`. */
  readonly readTable: () => Promise<void>;
  /** Deletes our table; nothing of it may be there. */
  readonly remove: () => Promise<void>;
}

export interface Differences {
  /** In words, most telling first; empty when there is none. */
  readonly changes: readonly string[];
  /** False when this program was not loaded here, so that a rule's matches could not be compared. */
  readonly exact: boolean;
}

/** Up to here a listing of all elements costs less than starting nft does. */
export const elementsReadMax = 256;

/** What one listing answers. */
const asking = (list: Calls["list"]): Pick<Nft, "counters" | "enforces" | "readTable"> => ({
  counters: async () =>
    (await list("terse")).counters.map(({ name, packets, bytes }) => ({ name, packets, bytes })),
  enforces: async () => (await list("terse")).chains.some(({ policy }) => policy === "drop"),
  readTable: async () => void (await list("terse")),
});

/**
 * @param path of the nft program
 * @param witness what a watch of our table knows; without one, `amend` serves only programs that are listed whole
 */
export function openNft(exec: Exec, path = "nft", witness: Witness = new Witness()): Nft {
  const memory: Memory = {
    admitted: "",
    inventory: undefined,
    loaded: undefined,
    chains: [],
    others: unknownOthers,
  };
  const digest = makeDigests();
  const kernel = callsBy(exec, path, {
    ours: ({ chains }) => (memory.chains = chains),
    others: (others) => (memory.others = others),
  });
  const { check, load, list } = kernel;
  const inventory = async (): Promise<Inventory> => inventoryOfListing(await list("terse"));

  const { send, attempt, again } = loaderBy(kernel, memory, inventory);

  /** The inventory, and with it the kernel's opinion of rules that it has not seen. */
  const examine = async (declared: string): Promise<Inventory> =>
    inventoryOfListing(await kernel.loadAndList(declared, "check", "terse"));

  const apply = async (program: Program): Promise<Applied> => {
    const declared = skeleton(program);
    const known = memory.admitted === declared ? memory.inventory : undefined;
    memory.inventory = undefined;
    witness.begin();
    const applied = await (known === undefined
      ? attempt(program, await examine(declared))
      : attempt(program, known).catch((error: unknown) => again(program, error)));
    memory.admitted = declared;
    memory.inventory = inventoryOf(namedAt({ program, flip: memory.loaded?.flip ?? false }));
    return applied;
  };
  const amend = async (program: Program): Promise<Applied | undefined> => {
    const { loaded, inventory: known } = memory;
    if (loaded === undefined || known === undefined) return undefined;
    if (!witness.vouches(elementCount(program) <= elementsReadMax)) return undefined;
    const at = { program, flip: loaded.flip };
    const text = makeTransaction(namedAt(loaded), namedAt(at));
    if (text === undefined) return undefined;
    memory.inventory = undefined;
    const applied = await send(at, text, loaded.rules);
    memory.inventory = known;
    return applied;
  };
  const compareWithKernel = async (program: Program, detail: Detail): Promise<Differences> => {
    const held = await list(detail);
    const flip = isFlipped(inventoryOfListing(held));
    const named = namedAt({ program, flip });
    const { loaded } = memory;
    const same = loaded?.flip === flip && digest(loaded.program) === digest(program);
    const before = same ? loaded.rules : undefined;
    const members = detail === "full" && held.exists ? compareElements(named, held) : [];
    const changes = [...compareStructure(named, held, before), ...members];
    // Somebody was here: what this process remembers of the kernel is no longer true.
    if (changes.length > 0) memory.inventory = undefined;
    return { changes, exact: before !== undefined };
  };
  const readback = async (program: Program): Promise<void> =>
    agree((await compareWithKernel(program, "full")).changes);
  const readOthers = (): Others => {
    const { drops, ...rest } = memory.others;
    return { ...rest, drops: drops === null ? null : besideOurs(drops, memory.chains) };
  };
  const remove = (): Promise<void> => {
    memory.inventory = undefined;
    return load(removal);
  };
  return {
    check,
    load,
    inventory,
    readback,
    differences: compareWithKernel,
    apply,
    amend,
    others: readOthers,
    remove,
    ...asking(list),
  };
}

interface Loader {
  /** @param before the rules as they must still be listed, where this text does not load them anew */
  readonly send: (at: Placed, text: string, before?: Listing["rules"]) => Promise<Applied>;
  /** A very large program goes to the names that are free, outside the rules, and one transaction flips to them. */
  readonly attempt: (program: Program, present: Inventory) => Promise<Applied>;
  /** From a fresh inventory. A load that did not read back stays one, whatever comes of this. */
  readonly again: (program: Program, first: unknown) => Promise<Applied>;
}

/** Ways to load and read back; `memory.loaded` is what the last of them left. */
function loaderBy(kernel: Calls, memory: Memory, inventory: () => Promise<Inventory>): Loader {
  const send = async (at: Placed, text: string, before?: Listing["rules"]): Promise<Applied> => {
    const named = namedAt(at);
    const few = elementCount(named) <= elementsReadMax;
    const held = await kernel.loadAndList(text, "load", few ? "full" : "terse");
    agree(compareStructure(named, held, before));
    if (few) agree(compareElements(named, held));
    memory.loaded = { ...at, rules: held.rules };
    return { text };
  };
  const attempt = async (program: Program, present: Inventory): Promise<Applied> => {
    const at = { program, flip: !isFlipped(present) };
    const stages = stageProgram(namedAt(at), present);
    if (stages === undefined) return send({ program, flip: false }, print(program, present).text);
    for (const text of stages.texts) await kernel.load(text).catch(refuseLeftovers);
    return send(at, stages.flip).catch(refuseLeftovers);
  };

  const applyAgain = async (program: Program, first: unknown): Promise<Applied> => {
    if (!(first instanceof ApplyError)) throw first;
    try {
      return await attempt(program, await inventory());
    } catch (error) {
      throw first.code === "readback_mismatch" ? first : error;
    }
  };
  return { send, attempt, again: applyAgain };
}

/** A program, and under which of its two names for each set and map. */
interface Placed {
  readonly program: Program;
  readonly flip: boolean;
}
const namedAt = ({ program, flip }: Placed): Program => (flip ? flipNames(program) : program);

/** Our table holds more than before: what comes next is a whole load, which deletes what is left over. */
function refuseLeftovers(cause: unknown): never {
  if (!(cause instanceof ApplyError)) throw cause;
  throw new ApplyError("readback_mismatch", cause.message, { cause });
}

/** What the last apply left in the kernel. */
interface Memory {
  /** Rules and objects that this kernel has taken: it need not be asked about them again. */
  admitted: string;
  /**
   * A guess, for speed only: when somebody else changed our table since, the load or its readback fails and the apply
   * is done again from a fresh inventory.
   */
  inventory: Inventory | undefined;
  /** The last program, and its rules as nft listed them right after they were loaded. */
  loaded: (Placed & { readonly rules: Listing["rules"] }) | undefined;
  /** Of our table, as they were listed last. */
  chains: Listing["chains"];
  others: Others;
}

/** `programSha256`, once for each program that is still in use: printing a big one takes a while. */
function makeDigests(): (program: Program) => string {
  const known = new WeakMap<Program, string>();
  return (program) => {
    const digest = known.get(program) ?? programSha256(program);
    known.set(program, digest);
    return digest;
  };
}

function agree([first]: readonly string[]): void {
  if (first !== undefined) throw new ApplyError("readback_mismatch", first);
}
