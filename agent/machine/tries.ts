/**
 * What may be tried after reverts. They are counted by cause: under one guard, and none of them followed by a commit. Pure.
 */
import type { Barred, Candidate, Reverts } from "./candidate.ts";

const hourMs = 3_600_000;
/** From so many reverts within an hour on, only a person's decision is a new try; from so many on, nothing is. */
const bounds = { hold: 3, most: 10 } as const;

/** One more revert; those older than an hour no longer count, nor those under another guard. */
export function countRevert(before: Reverts, tried: Barred | null, now: number): Reverts {
  const barred = tried ?? before.barred;
  const sameGuard = before.barred === null || before.barred.guard_sha256 === barred?.guard_sha256;
  const counted = sameGuard ? recent(before, now) : [];
  const revision = Math.max(barred?.revision ?? 0, sameGuard ? (before.barred?.revision ?? 0) : 0);
  return {
    at: [...counted, now].slice(-bounds.most),
    barred: barred === null ? null : { ...barred, revision },
  };
}

const recent = ({ at }: Reverts, now: number): readonly number[] =>
  at.filter((time) => time > now - hourMs && time <= now);

export const isHolding = (before: Reverts, now: number): boolean =>
  findHoldEnd(before, now) !== null;

/** When a hold ends by itself, if nothing else ends it before; null for a host that is in none. */
export function findHoldEnd(before: Reverts, now: number): number | null {
  const last = recent(before, now).at(-bounds.hold);
  return last === undefined ? null : last + hourMs;
}

/**
 * Whether a candidate waits for an hour without reverts: what was tried, or older content under a new number, as after a
 * rollback. A revision that is newer than all that was reverted, and a guard that changed, are decisions of a person.
 */
export function isHeld(before: Reverts, candidate: Candidate, guard: string, now: number): boolean {
  const { barred } = before;
  if (!isHolding(before, now) || barred === null || barred.guard_sha256 !== guard) return false;
  return candidate.revision <= barred.revision || recent(before, now).length >= bounds.most;
}
