/**
 * The kernel as the loop sees it: programs go in, outcomes come out. Translates the errors of agent/backend/nft into refusals
 * and says whether the kernel may hold something else than before.
 */
import type { Program } from "#core/render/index.ts";
import type { CounterReading } from "#schema/wire.ts";
import { ApplyError } from "./nft/apply-error.ts";
import type { Others } from "./nft/listing.ts";
import type { Differences, Nft } from "./nft/nft.ts";
import type { Detail } from "./nft/session.ts";
import { isErrno } from "#agent/disk/files.ts";
import { printable, type Refusal } from "#agent/machine/refusal.ts";

export type Loaded =
  | { readonly ok: true }
  | { readonly ok: false; readonly refusal: Refusal; readonly touched: boolean };

export interface Kernel {
  /** Check, one transaction, readback; a mismatch is loaded once more before it counts. */
  load(program: Program): Promise<Loaded>;
  /** The same for the next program; sends elements alone where that is enough, and the whole where it was not. */
  update(program: Program): Promise<Loaded>;
  /** Whether our table is there. Unknown counts as present: nothing is loaded on a guess. */
  table(): Promise<"present" | "missing">;
  /** Whether our table drops what no rule decides. Undefined where it cannot be listed. */
  enforces(): Promise<boolean | undefined>;
  counters(): Promise<readonly CounterReading[]>;
  /** What tables of others do, by the last listing of them; asks nothing. */
  others(): Others;
  /** Lists every table, for `others`. What nft cannot list is said there. */
  readTable(): Promise<void>;
  /**
   * Compares the kernel with what is intended, and loads that again if it differs. No load of ours can come in between:
   * `intended` is asked when it is this one's turn.
   */
  correct(intended: () => Program | undefined, how: Correction): Promise<Corrected>;
}

export interface Correction {
  readonly repair: boolean;
  /** How closely to look; `none` counts as changed without a look. */
  readonly detail: (program: Program) => Detail | "none";
}

export type Corrected =
  | { readonly kind: "idle" | "sound" }
  | {
      readonly kind: "drifted";
      readonly changes: readonly string[];
      readonly repaired: boolean;
    };

export function openKernel(nft: Nft): Kernel {
  const loadOnce = async (work: Promise<unknown>): Promise<Loaded> => {
    try {
      await work;
      return { ok: true };
    } catch (error) {
      return describeFailedLoad(error);
    }
  };
  const load = async (program: Program): Promise<Loaded> => {
    const first = await loadOnce(nft.apply(program));
    return first.ok || !first.touched ? first : afterTouch(await loadOnce(nft.apply(program)));
  };
  const update = async (program: Program): Promise<Loaded> => {
    let amended = false;
    const first = await loadOnce(
      nft.amend(program).then((applied) => (amended = applied !== undefined)),
    );
    if (first.ok) return amended ? first : load(program);
    const whole = await load(program);
    return first.touched ? afterTouch(whole) : whole;
  };
  const inTurn = makeTurns();
  return {
    load: (program) => inTurn(() => load(program)),
    update: (program) => inTurn(() => update(program)),
    correct: (intended, how) =>
      inTurn(async () => {
        const program = intended();
        if (program === undefined) return { kind: "idle" };
        const detail = how.detail(program);
        const found = detail === "none" ? unseen : await compare(nft, program, detail);
        if (found.changes.length === 0 && found.exact) return { kind: "sound" };
        const repaired = how.repair && (await load(program)).ok;
        // Never loaded here and nothing to see: from now on every match of it can be compared.
        if (found.changes.length === 0 && detail !== "none") return { kind: "sound" };
        return { kind: "drifted", changes: found.changes, repaired };
      }),
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
    enforces: () => refuseOr<boolean | undefined>(nft.enforces(), undefined),
    others: () => nft.others(),
    readTable: () => refuseOr(nft.readTable(), undefined),
    counters: () => refuseOr(nft.counters(), []),
  };
}

/** `answer` where the kernel could not be asked. */
async function refuseOr<T>(asked: Promise<T>, answer: T): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (isExpected(error)) return answer;
    throw error;
  }
}

/** What failed untouched after an attempt that may have loaded leaves the kernel in doubt. */
const afterTouch = (loaded: Loaded): Loaded => (loaded.ok ? loaded : { ...loaded, touched: true });

const unseen: Differences = { changes: [], exact: false };

/** A kernel that cannot be listed is not known to be right. */
async function compare(nft: Nft, program: Program, detail: Detail): Promise<Differences> {
  try {
    return await nft.differences(program, detail);
  } catch (error) {
    if (!isExpected(error)) throw error;
    return { changes: ["our table could not be listed"], exact: false };
  }
}

/** One after the other, in the order of asking, whatever becomes of the one before. */
function makeTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

function describeFailedLoad(error: unknown): Loaded {
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
  error instanceof ApplyError ||
  isErrno(error) ||
  (error instanceof Error && error.name === "Error");
