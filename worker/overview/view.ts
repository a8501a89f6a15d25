/** Where a host stands, in one look: what it is served, what it holds, and what deserves a person's attention. */
import * as z from "zod";
import type { Held, StatusSummary } from "#schema/api/hosts.ts";
import { describeExpiry } from "#schema/expiry.ts";
import { snapshotLifetime } from "#worker/signing/index.ts";
import { sightingSlackMs, type HostStatusRow } from "#worker/hosts/index.ts";
import { iso } from "#worker/http/views.ts";

interface Now {
  /** What agents are asked to wait between polls. */
  readonly pollSeconds: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** @param seenAt when the host was last seen polling, milliseconds since the Unix epoch */
export function makeHostStatusView(
  status: HostStatusRow | undefined,
  seenAt: number | undefined,
  at: Now,
): StatusSummary {
  return {
    state: stateOf(status),
    published: makeHeldView(status?.seq, status?.revision),
    applied: makeHeldView(status?.applied_seq, status?.applied_revision),
    contact: status === undefined || !isEnrolled(status) ? null : contactOf(seenAt, at),
    last_poll_at: isoOrNull(seenAt),
    last_report_at: isoOrNull(status?.last_report_at),
    lease_expires_at: isoOrNull(status?.lease_expires_at),
    held_lease_expires_at: isoOrNull(status?.held_lease_expires_at),
    warnings: status === undefined ? [] : [...warningsOf(status, seenAt, at)],
  };
}

const lateAfterPolls = 3;
const silentAfterMs = 900_000;

function contactOf(
  seenAt: number | undefined,
  { pollSeconds, now }: Now,
): StatusSummary["contact"] {
  if (seenAt === undefined) return null;
  // An agent waits up to a tenth longer, and what is known of its last poll is some minutes old.
  const late = lateAfterPolls * pollSeconds * 1100 + sightingSlackMs;
  if (now - seenAt <= late) return "polling";
  return now - seenAt <= Math.max(silentAfterMs, 2 * late) ? "late" : "silent";
}

const isEnrolled = ({ enrolled_at, revoked_at }: HostStatusRow): boolean =>
  enrolled_at !== null && revoked_at === null;

function stateOf(status: HostStatusRow | undefined): StatusSummary["state"] {
  if (status === undefined || !isEnrolled(status)) return "unenrolled";
  return status.state ?? "unknown";
}

/** Twice the interval of an agent's reports: past it a host that nobody saw poll is silent (DESIGN §8). Milliseconds. */
const unheardAfter = 2 * 3_600_000;

function* warnOfContact(
  { last_report_at, enrolled_at }: HostStatusRow,
  seenAt: number | undefined,
  at: Now,
): Generator<StatusSummary["warnings"][number]> {
  const { now } = at;
  const minutes = Math.floor((now - (seenAt ?? now)) / 60_000);
  switch (contactOf(seenAt, at)) {
    case "late":
      yield { code: "late", message: `it was last seen polling ${minutes} minutes ago` };
      break;
    case "silent":
      yield {
        code: "silent",
        message: `it was last seen polling ${minutes} minutes ago: what it holds is known as of then`,
      };
      break;
    case "polling":
      break;
    case null:
      if (now - (last_report_at ?? enrolled_at ?? now) > unheardAfter)
        yield { code: "silent", message: "it has said nothing for more than two hours" };
  }
}

function* warningsOf(
  status: HostStatusRow,
  seenAt: number | undefined,
  at: Now,
): Generator<StatusSummary["warnings"][number]> {
  const { refusal, pinned, withheld } = status;
  if (status.revoked_at !== null) yield { code: "revoked", message: "its key is revoked" };
  if (pinned !== null) yield { code: "pinned", message: `pinned: ${pinned}` };
  if (withheld > 0) yield { code: "withheld", message: `revisions withheld from it: ${withheld}` };
  if (!isEnrolled(status)) return;
  if (status.suspected_at !== null)
    yield {
      code: "suspected_clone",
      message: `two agents report under its key since ${iso(status.suspected_at)}: enrol it anew`,
    };
  yield* warnOfContact(status, seenAt, at);
  if (refusal !== null) yield { code: "refused", message: `its last report says ${refusal}` };
  if (status.applied_bundle_sha256 !== status.bundle_sha256)
    yield { code: "behind", message: "it does not hold what it is served" };
  for (const message of warnOfExpiries(status, at.now)) yield { code: "expiring", message };
  yield* warnOfListeners(status);
  const missing = z.array(z.string()).parse(JSON.parse(status.missing_addresses ?? "[]"));
  if (missing.length > 0)
    yield {
      code: "addresses_mismatch",
      message: `it does not say that it has ${missing.join(", ")}, which is declared`,
    };
}

function* warnOfExpiries(status: HostStatusRow, now: number): Generator<string> {
  const { targets_issued_at, targets_expires_at, snapshot_expires_at } = status;
  const { lease_issued_at, lease_expires_at } = status;
  for (const [what, from, to] of [
    ["targets", targets_issued_at, targets_expires_at],
    ["snapshot", 0, snapshot_expires_at],
    ["lease", lease_issued_at, lease_expires_at],
  ] as const) {
    if (from === null || to === null) continue;
    const life = what === "snapshot" ? snapshotLifetime : to - from;
    const warning = describeExpiry(what, to - now, life);
    if (warning !== undefined) yield warning;
  }
}

function* warnOfListeners({
  undeclared,
  silent,
}: HostStatusRow): Generator<StatusSummary["warnings"][number]> {
  if (undeclared !== null && undeclared > 0)
    yield {
      code: "undeclared_listeners",
      message: `${formatCount(undeclared, "port")} listened at that no row lets anybody reach`,
    };
  if (silent !== null && silent > 0)
    yield {
      code: "silent_services",
      message: `${formatCount(silent, "port or range", "ports or ranges")} let in at which nothing listens`,
    };
}

const formatCount = (count: number, one: string, many = `${one}s`): string =>
  count === 1 ? `1 ${one} is` : `${count} ${many} are`;

const makeHeldView = (
  seq: number | null | undefined,
  revision: number | null | undefined,
): Held | null =>
  typeof seq === "number" && typeof revision === "number" ? { seq, revision } : null;

const isoOrNull = (milliseconds: number | null | undefined): string | null =>
  typeof milliseconds === "number" ? iso(milliseconds) : null;
