/**
 * Watches our own table: told of every transaction in the kernel, it compares what may have been touched with what is
 * intended, and repairs it (DESIGN §9: within two seconds, reported with a row-level diff). A change of somebody
 * else's table costs nothing; one that leaves ours as it should be is no drift.
 *
 * Waits nowhere: agent/cycle/loop.ts asks `check` when `touched` resolves and every `checkIntervalMs`.
 */
import { elementCount, type Program } from "#core/render/index.ts";
import { type Drift } from "#schema/wire.ts";
import { elementsReadMax } from "#agent/backend/nft/nft.ts";
import type { Follow } from "#agent/process/spawn.ts";
import type { Witness } from "#agent/backend/nft/witness.ts";
import type { Corrected, Kernel } from "#agent/backend/kernel.ts";
import { isErrno } from "#agent/disk/files.ts";
import type { DriftLog } from "./drift-log.ts";
import { type Generation, readMonitor } from "./monitor.ts";

/** Finds what the watch has missed; terse for big programs, so it costs the same at any size. */
export const checkIntervalMs = 30_000;
/** Above this many elements a touched table is loaded again without a listing, which would take seconds. */
const elementsComparedMax = 100_000;
const generationsKeptMax = 64;

export interface PatrolParts {
  readonly kernel: Kernel;
  readonly follow: Follow;
  /** Path of the nft program. */
  readonly nft: string;
  readonly witness: Witness;
  readonly log: DriftLog;
  /** What the kernel should hold at this very moment; undefined: leave it alone. */
  readonly intended: () => Program | undefined;
  /** The guard's choice: `report` compares and says, and loads nothing. */
  readonly mode: () => "repair" | "report";
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly tell: (drift: Drift) => void;
}

export class Patrol {
  readonly #parts: PatrolParts;
  #due = false;
  #touched: readonly Generation[] = [];
  #wake: () => void = () => undefined;
  /** What was said last and not repaired, so that it is not told again every half minute. */
  #reported = "";
  /** Somebody may have changed another table than ours since those were listed. */
  #othersDue = true;
  #watching = false;

  constructor(parts: PatrolParts) {
    this.#parts = parts;
  }

  /** Listens until the monitor ends or is told to. One that cannot be started has ended; the check goes on without. */
  async watch(stop: AbortSignal): Promise<void> {
    const { follow, nft, witness } = this.#parts;
    const read = readMonitor((generation) => this.#noteGeneration(generation));
    this.#watching = true;
    this.#othersDue = true;
    try {
      await follow([nft, "monitor"], read, stop);
    } catch (error) {
      if (!isErrno(error)) throw error;
    } finally {
      witness.noteUnwatched();
      this.#watching = false;
    }
  }

  /** Resolves when our table may have been touched by somebody else, at once if it was since the last check. */
  waitForTouch(): Promise<void> {
    if (this.#due) return Promise.resolve();
    return new Promise((resolve) => (this.#wake = resolve));
  }

  /** Compares, and repairs or says so. @returns undefined when all is as intended or nothing is intended */
  async check(): Promise<Drift | undefined> {
    const drift = await this.#checkOurs();
    await this.#readOthers();
    return drift;
  }

  async #checkOurs(): Promise<Drift | undefined> {
    const { kernel, intended, mode, log, now, tell } = this.#parts;
    const generations = this.#touched;
    const repair = mode() === "repair";
    this.#due = false;
    const corrected = await kernel.correct(intended, {
      repair,
      detail: (program) => chooseDetail(elementCount(program), generations.length > 0),
    });
    // Nothing intended: an apply is under way, and what was heard is looked at by the first check after it.
    if (corrected.kind === "idle") return undefined;
    this.#touched = this.#touched.slice(generations.length);
    if (corrected.kind === "sound" || (corrected.kind === "drifted" && corrected.repaired))
      this.#reported = "";
    const news = newsOf(corrected, generations);
    if (news === undefined || (!news.repaired && this.#wasReported(news.changes))) return undefined;
    const drift = log.record(news, now());
    tell(drift);
    return drift;
  }

  /** Only when somebody else was heard, or nobody listens: others may have many rules. */
  async #readOthers(): Promise<void> {
    if (!this.#othersDue && this.#watching) return;
    this.#othersDue = false;
    await this.#parts.kernel.readTable();
  }

  #noteGeneration(generation: Generation): void {
    const touchesOurs = generation.lines.length > 0;
    if (this.#parts.witness.noteTransaction(generation.pid, touchesOurs)) return;
    this.#othersDue = true;
    if (!touchesOurs) return;
    this.#touched = [...this.#touched, generation].slice(-generationsKeptMax);
    this.#due = true;
    this.#wake();
  }

  #wasReported(changes: readonly string[]): boolean {
    const text = JSON.stringify(changes);
    const same = text === this.#reported;
    this.#reported = text;
    return same;
  }
}

function chooseDetail(elements: number, touched: boolean): "terse" | "full" | "none" {
  if (elements <= elementsReadMax) return "full";
  if (!touched) return "terse";
  return elements <= elementsComparedMax ? "full" : "none";
}

/** What a listing told, or for a table too big to list what the monitor said. */
function newsOf(
  corrected: Corrected,
  generations: readonly Generation[],
): { by: string | null; changes: readonly string[]; repaired: boolean } | undefined {
  if (corrected.kind !== "drifted") return undefined;
  const by = [...new Set(generations.map((generation) => generation.by))].join(", ").slice(0, 64);
  const said = generations.flatMap(({ lines }) => lines);
  return {
    by: by === "" ? null : by,
    changes: corrected.changes.length > 0 ? corrected.changes : said,
    repaired: corrected.repaired,
  };
}
