/**
 * What this host says about itself: on every transition and at least once an hour, several changes in one report.
 * Evidence only: nothing in it is trusted by the control plane beyond "this host's key said so".
 */
import type { RoleExpiry } from "#schema/expiry.ts";
import type { CounterReading, Drift, ForeignDrop, Listening, Report, Seen } from "#schema/wire.ts";
import { rendererVersion } from "#core/render/index.ts";
import { readBootId } from "#agent/disk/clock.ts";
import type { LoadedGuard } from "#agent/guard/index.ts";
import { listOwnAddresses } from "#agent/observe/addresses.ts";
import type { Refusal } from "#agent/machine/refusal.ts";
import { committedOf } from "#agent/machine/read.ts";
import type { State } from "#agent/machine/state.ts";
import { version as agentVersion } from "#args/version.ts";

export interface DatedRefusal extends Refusal {
  /** ISO 8601. */
  readonly at: string;
  /** When an answer was believed again, of what that ends. ISO 8601. */
  readonly over_at?: string;
}

export interface Facts {
  readonly state: State;
  readonly seen: Seen;
  readonly guard: LoadedGuard | null;
  readonly refusal: DatedRefusal | null;
  readonly counters: readonly CounterReading[];
  /** Packets that the ruleset in force dropped or rejected; null when that was not read. */
  readonly drops: number | null;
  readonly drift: Drift | null;
  readonly foreignDrops: readonly ForeignDrop[] | null;
  readonly listening: Listening | null;
  readonly expires: readonly RoleExpiry[];
}

export const reportIntervalMs = 3_600_000;
/** A report of 256 KiB is refused (worker/poll/routes.ts); a guard file of 64 KiB fits into the difference. */
const counterBytesMax = 160 * 1024;

/** A report, complete but for its place in the chain (agent/report/chain.ts). `now` in milliseconds since the Unix epoch. */
export function describeHost(facts: Facts, now: number): Omit<Report, "n" | "prev"> {
  const applied = committedOf(facts.state);
  return {
    at: new Date(now).toISOString(),
    boot_id: readBootId(),
    agent_version: agentVersion,
    renderer: rendererVersion,
    state: facts.state.kind,
    applied:
      applied === null
        ? null
        : {
            seq: applied.seq,
            revision: applied.revision,
            bundle_sha256: applied.bundle_sha256,
            program_sha256: applied.program_sha256,
          },
    seen: facts.seen,
    reverted_seq: revertedSeqOf(facts.state),
    guard_sha256: facts.guard?.sha256 ?? null,
    guard: facts.guard?.guard ?? null,
    refusal: facts.refusal === null ? null : onWire(facts.refusal),
    counters: takeFitting(facts.counters),
    drift: facts.drift,
    foreign_drops: facts.foreignDrops === null ? null : [...facts.foreignDrops],
    listening: facts.listening,
    addresses: [...listOwnAddresses()],
    drops: facts.drops,
    expires: [...facts.expires],
  };
}

/** What a report has room for. */
const onWire = ({ code, message, at }: DatedRefusal): Report["refusal"] => ({ code, message, at });

function revertedSeqOf(state: State): number | null {
  switch (state.kind) {
    case "unenrolled":
      return null;
    case "applying":
      return state.from.reverts.barred?.seq ?? null;
    default:
      return state.reverts.barred?.seq ?? null;
  }
}

/** As many counters, in order, as one report may carry. */
function takeFitting(counters: readonly CounterReading[]): CounterReading[] {
  let bytes = 0;
  const end = counters.findIndex(
    (counter) => (bytes += JSON.stringify(counter).length + 1) > counterBytesMax,
  );
  return counters.slice(0, end < 0 ? undefined : end);
}
