/**
 * The kernel as the loop sees it: programs go in, outcomes come out. Translates the errors of agent/apply into refusals
 * and says whether the kernel may hold something else than before.
 */
import type { Program } from "#render/index.ts";
import type { CounterReading } from "#schema/wire.ts";
import { ApplyError, type Nft } from "./apply/nft.ts";
import { isErrno } from "./persist.ts";
import { printable, type Refusal } from "./refusal.ts";

export type Loaded =
  | { readonly ok: true; readonly programSha256: string }
  | { readonly ok: false; readonly refusal: Refusal; readonly touched: boolean };

export interface Kernel {
  /** Check, one transaction, readback; a mismatch is loaded once more before it counts. */
  load(program: Program): Promise<Loaded>;
  /** Whether our table is there. Unknown counts as present: nothing is loaded on a guess. */
  table(): Promise<"present" | "missing">;
  counters(): Promise<readonly CounterReading[]>;
}

export function openKernel(nft: Nft): Kernel {
  const once = async (program: Program): Promise<Loaded> => {
    try {
      const { programSha256 } = await nft.apply(program);
      return { ok: true, programSha256 };
    } catch (error) {
      return notLoaded(error);
    }
  };
  return {
    async load(program) {
      const first = await once(program);
      return first.ok || !first.touched ? first : once(program);
    },
    async table() {
      try {
        const { chains, sets, maps, counters, foreign } = await nft.inventory();
        const empty = [chains, sets, maps, counters].every((objects) => objects.length === 0);
        return empty && !foreign ? "missing" : "present";
      } catch (error) {
        if (isExpected(error)) return "present";
        throw error;
      }
    },
    async counters() {
      try {
        return await nft.counters();
      } catch (error) {
        if (isExpected(error)) return [];
        throw error;
      }
    },
  };
}

function notLoaded(error: unknown): Loaded {
  if (error instanceof ApplyError) {
    const refusal = { code: error.code, message: printable(error.message).slice(0, 500) };
    return { ok: false, refusal, touched: error.code === "readback_mismatch" };
  }
  if (isExpected(error)) {
    // Not started: untouched. Not ended in time: it may have loaded before it was killed.
    const message = `nft: ${isErrno(error) ? error.code : "did not end in time"}`;
    return { ok: false, refusal: { code: "load_failed", message }, touched: !isErrno(error) };
  }
  throw error;
}

const isExpected = (error: unknown): boolean =>
  error instanceof ApplyError || isErrno(error) || (error instanceof Error && error.name === "Error");
