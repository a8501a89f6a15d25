/** Where a host stands, in one look: what it is served, what it holds, and what deserves a person's attention. */
import * as z from "zod";
import type { Held, Standing as StandingView } from "#schema/api/hosts.ts";
import { describeExpiry } from "#schema/expiry.ts";
import { snapshotLifetime } from "#worker/signing/index.ts";
import { sightingSlackMs, type Standing } from "#worker/hosts/index.ts";
import { iso } from "#worker/http/views.ts";

interface Now {
  /** What agents are asked to wait between polls. */
  readonly pollSeconds: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** @param seenAt when the host was last seen polling, milliseconds since the Unix epoch */
export function makeHostStatusView(
  standing: Standing | undefined,
  seenAt: number | undefined,
  at: Now,
): StandingView {
  return {
    state: stateOf(standing),
    published: makeHeldView(standing?.seq, standing?.revision),
    applied: makeHeldView(standing?.applied_seq, standing?.applied_revision),
    contact: standing === undefined || !isEnrolled(standing) ? null : contactOf(seenAt, at),
    last_poll_at: isoOrNull(seenAt),
    last_report_at: isoOrNull(standing?.last_report_at),
    lease_expires_at: isoOrNull(standing?.lease_expires_at),
    held_lease_expires_at: isoOrNull(standing?.held_lease_expires_at),
    warnings: standing === undefined ? [] : [...warningsOf(standing, seenAt, at)],
  };
}

const lateAfterPolls = 3;
const silentAfterMs = 900_000;

function contactOf(seenAt: number | undefined, { pollSeconds, now }: Now): StandingView["contact"] {
  if (seenAt === undefined) return null;
  // An agent waits up to a tenth longer, and what is known of its last poll is some minutes old.
  const late = lateAfterPolls * pollSeconds * 1100 + sightingSlackMs;
  if (now - seenAt <= late) return "polling";
  return now - seenAt <= Math.max(silentAfterMs, 2 * late) ? "late" : "silent";
}

const isEnrolled = ({ enrolled_at, revoked_at }: Standing): boolean =>
  enrolled_at !== null && revoked_at === null;

function stateOf(standing: Standing | undefined): StandingView["state"] {
  if (standing === undefined || !isEnrolled(standing)) return "unenrolled";
  return standing.state ?? "unknown";
}

/** Twice the interval of an agent's reports: past it a host that nobody saw poll is silent (DESIGN §8). Milliseconds. */
const unheardAfter = 2 * 3_600_000;

function* warnOfContact(
  { last_report_at, enrolled_at }: Standing,
  seenAt: number | undefined,
  at: Now,
): Generator<StandingView["warnings"][number]> {
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
  standing: Standing,
  seenAt: number | undefined,
  at: Now,
): Generator<StandingView["warnings"][number]> {
  const { refusal, pinned, withheld } = standing;
  if (standing.revoked_at !== null) yield { code: "revoked", message: "its key is revoked" };
  if (pinned !== null) yield { code: "pinned", message: `pinned: ${pinned}` };
  if (withheld > 0) yield { code: "withheld", message: `revisions withheld from it: ${withheld}` };
  if (!isEnrolled(standing)) return;
  if (standing.suspected_at !== null)
    yield {
      code: "suspected_clone",
      message: `two agents report under its key since ${iso(standing.suspected_at)}: enrol it anew`,
    };
  yield* warnOfContact(standing, seenAt, at);
  if (refusal !== null) yield { code: "refused", message: `its last report says ${refusal}` };
  if (standing.applied_bundle_sha256 !== standing.bundle_sha256)
    yield { code: "behind", message: "it does not hold what it is served" };
  for (const message of warnOfExpiries(standing, at.now)) yield { code: "expiring", message };
  yield* warnOfListeners(standing);
  const missing = z.array(z.string()).parse(JSON.parse(standing.missing_addresses ?? "[]"));
  if (missing.length > 0)
    yield {
      code: "addresses_mismatch",
      message: `it does not say that it has ${missing.join(", ")}, which is declared`,
    };
}

function* warnOfExpiries(standing: Standing, now: number): Generator<string> {
  const { targets_issued_at, targets_expires_at, snapshot_expires_at } = standing;
  const { lease_issued_at, lease_expires_at } = standing;
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
}: Standing): Generator<StandingView["warnings"][number]> {
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
