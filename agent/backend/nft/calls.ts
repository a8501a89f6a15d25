/**
 * Single questions to nft, each answered by an outcome or an ApplyError: check a file, load it, list. What tables of
 * others hold, or do to nft, never decides one about ours.
 */
import { table } from "#core/render/nft/program.ts";
import { isErrno } from "#agent/disk/files.ts";
import { ApplyError, type ApplyCode } from "./apply-error.ts";
import { type Listing, type Others, parseListing, unknownOthers } from "./listing.ts";
import {
  type Detail,
  findFirstError,
  flags,
  loadAndList,
  type Purpose,
  questions,
} from "./session.ts";
import type { Exec, ExecResult } from "#agent/process/spawn.ts";

export interface Calls {
  /** Has the kernel validate a file and throw it away. @throws {ApplyError} check_failed */
  readonly check: (text: string) => Promise<void>;
  /** Loads a file in one transaction. @throws {ApplyError} load_failed */
  readonly load: (text: string) => Promise<void>;
  readonly list: (detail: Detail) => Promise<Listing>;
  /** @throws {ApplyError} check_failed or load_failed, by purpose */
  readonly loadAndList: (text: string, purpose: Purpose, detail: Detail) => Promise<Listing>;
}

const failure: Readonly<Record<Purpose, ApplyCode>> = {
  check: "check_failed",
  load: "load_failed",
};
/** What it means that nft does not list afterwards: a check has touched nothing, a load may have. */
const unlisted: Readonly<Record<Purpose, ApplyCode>> = {
  check: "check_failed",
  load: "readback_mismatch",
};

/** Told of whatever is listed. */
export interface Seen {
  readonly ours: (listing: Listing) => void;
  readonly others: (others: Others) => void;
}

export function callsBy(exec: Exec, path: string, seen: Seen): Calls {
  const check = async (text: string): Promise<void> =>
    demand("check_failed", await exec([path, "-c", "-f", "-"], text));
  const load = async (text: string): Promise<void> =>
    demand("load_failed", await exec([path, "-f", "-"], text));
  const listOwn = async (detail: Detail, failed: ApplyCode): Promise<Listing> => {
    const result = await exec([path, ...flags[detail], "-j", ...questions.full], "");
    const gone = result.status === 1 && result.stderr.includes("No such file or directory");
    if (!gone) demand(failed, result);
    const ours = gone ? missing : read(result.stdout).own;
    seen.ours(ours);
    return ours;
  };
  const list = async (
    detail: Detail,
    failed: ApplyCode = "readback_mismatch",
  ): Promise<Listing> => {
    if (detail === "full") return listOwn(detail, failed);
    const all = await listEveryTable(exec, path);
    seen.others(all.others);
    // What others keep decides nothing of ours: then our own table is listed by itself.
    if (all.own === undefined) return listOwn(detail, failed);
    seen.ours(all.own);
    return all.own;
  };
  return {
    check,
    load,
    list,
    loadAndList: async (text, purpose, detail) => {
      const answer = await loadAndList(exec, path, text, purpose, detail);
      if (answer?.error !== undefined) throw new ApplyError(failure[purpose], answer.error);
      if (answer !== undefined && isListing(answer.listing)) {
        const { own: ours, others } = read(answer.listing);
        if (detail === "terse") seen.others(others);
        seen.ours(ours);
        return ours;
      }
      // Some builds of nft echo what they read, and some listings nft does not survive: then the question is put apart.
      if (purpose === "check") await check(text);
      else if (answer === undefined) await load(text);
      return list(detail, unlisted[purpose]);
    },
  };
}

/** Every table, tersely. `own` is undefined where nft could not list them all. */
async function listEveryTable(
  exec: Exec,
  path: string,
): Promise<{ readonly own: Listing | undefined; readonly others: Others }> {
  try {
    const { status, stdout, stderr } = await exec(
      [path, ...flags.terse, "-j", ...questions.terse],
      "",
    );
    if (status === 0) return read(stdout);
    const why =
      findFirstError(stderr) ?? `nft ended with ${status ?? "a signal"}: ${stderr.slice(0, 200)}`;
    return { own: undefined, others: { ...unknownOthers, unlisted: why.trim() } };
  } catch (error) {
    // It was not started, and will not be for our own table.
    if (isErrno(error)) throw error;
    const why = error instanceof Error ? error.message : "unexpected";
    return { own: undefined, others: { ...unknownOthers, unlisted: why } };
  }
}

const isListing = (text: string): boolean => text.startsWith('{"nftables"');

/** nft 1.0.6 prints a table's flags from memory it has not written, and says no more where that is no text. */
const cutShort = new RegExp(
  `"table": \\{"family": "${table.family}", "name": "${table.name}", "handle": \\d+, "flags":\\s*$`,
);
const missing: Listing = {
  exists: false,
  sets: [],
  maps: [],
  chains: [],
  counters: [],
  rules: [],
  foreign: [],
};
const unlistable: Listing = {
  ...missing,
  exists: true,
  foreign: ["table flag, which nft could not list,"],
};

/** @throws ApplyError when this is no listing of nft's */
function read(text: string): { readonly own: Listing; readonly others: Others } {
  if (cutShort.test(text)) return { own: unlistable, others: unknownOthers };
  try {
    return parseListing(text);
  } catch (cause) {
    throw new ApplyError("readback_mismatch", "expected a listing of nft's", { cause });
  }
}

function demand(code: ApplyCode, { status, stderr }: ExecResult): void {
  if (status !== 0)
    throw new ApplyError(
      code,
      findFirstError(stderr) ?? `nft ended with ${status}: ${stderr.slice(0, 200)}`,
    );
}
