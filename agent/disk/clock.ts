/**
 * The time by which a lease ages. The wall clock alone could be turned back, and then a lease would never end; so time
 * is also counted on CLOCK_BOOTTIME, which goes on during sleep and cannot be set, from the moment the lease was taken.
 * The later of the two counts, unless the wall clock is more than a week ahead of that count: then it is not believed.
 * To verify and to sign, the wall clock is used, as NTP mends it and not the count; but not one that jumped that far
 * within this boot, in which the count has missed nothing.
 *
 * What others signed is never a time here: it only says which of this host's own two clocks is nearer.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { uptime } from "node:os";
import * as z from "zod";
import { longestLife } from "#schema/tuf.ts";
import { isErrno, readOptional, writeDurable } from "./files.ts";
import type { Refusal } from "#agent/machine/refusal.ts";

const Boot = {
  /** Milliseconds since the boot named here. */
  boot: z.number().min(0),
  boot_id: z.string().max(64),
};
/** Milliseconds since the Unix epoch. */
const Time = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const Anchor = z.strictObject({ at: Time, ...Boot });
type Anchor = z.infer<typeof Anchor>;
/** As it was written while a signed time could stand in it. */
const OldAnchor = z.strictObject({ wall: Time, ...Boot });

export interface Clocks {
  /** Milliseconds since the Unix epoch. */
  readonly wall: () => number;
  /** Milliseconds on CLOCK_BOOTTIME. */
  readonly boot: () => number;
  readonly bootId: string;
}

export interface LeaseClock {
  /** Milliseconds since the Unix epoch; never runs slower than CLOCK_BOOTTIME since the last `anchor`. */
  now(): number;
  /** Milliseconds since the Unix epoch, to verify and to sign by. */
  wall(): number;
  /**
   * A lease was taken now. The wall clock counts from here on, or as much more of this host's own count as the lease
   * bears out.
   * @param since the earliest moment at which it can have been signed
   */
  anchor(since: number): void;
  /** Told once, when the wall clock is found to be so far ahead that it is not believed. */
  takeAlarm(): Refusal | undefined;
}

const dayMs = 86_400_000;
/** A lease is never longer, so a clock further ahead is no lease that went by. */
const leaseMsMax = longestLife.timestamp;

/** When a lease can have been signed at the earliest. All in milliseconds since the Unix epoch. */
export const signedAfter = (held: {
  readonly leaseEndsAt: number;
  readonly custom: { readonly issued: string };
}): number => Math.max(Date.parse(held.custom.issued), held.leaseEndsAt - leaseMsMax);

export const systemClocks = (): Clocks => ({
  wall: Date.now,
  boot: () => uptime() * 1000,
  bootId: readBootId(),
});

/** random(4): another id after every boot. Empty where there is no /proc. */
export function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

export function openLeaseClock(directory: string, clocks: Clocks): LeaseClock {
  const path = join(directory, "clock.json");
  const here = (at: number): Anchor => ({ at, boot: clocks.boot(), boot_id: clocks.bootId });
  let since = read(path, clocks.wall()) ?? here(clocks.wall());
  let suspected = false;
  const sameBoot = (): boolean => since.boot_id === clocks.bootId;
  // Time switched off is not known, so after a boot only the time since then is added.
  const countElapsed = (): number => since.at + clocks.boot() - (sameBoot() ? since.boot : 0);
  const ahead = (): boolean => clocks.wall() - countElapsed() > leaseMsMax;
  const wall = (): number => (ahead() && sameBoot() ? countElapsed() : clocks.wall());
  const now = (): number => (ahead() ? countElapsed() : Math.max(clocks.wall(), countElapsed()));
  return {
    now,
    wall,
    anchor(signed) {
      since = here(Math.max(wall(), Math.min(signed, now())));
      try {
        writeDurable(path, JSON.stringify(since));
      } catch (error) {
        if (!isErrno(error)) throw error; // a full disk: it still counts until the next start
      }
    },
    takeAlarm() {
      const before = suspected;
      suspected = ahead();
      if (!suspected || before) return undefined;
      const days = Math.floor((clocks.wall() - countElapsed()) / dayMs);
      return {
        code: "clock_ahead",
        message: `the wall clock is ${days} days ahead of the last lease and the uptime since`,
      };
    },
  };
}

function read(path: string, wall: number): Anchor | undefined {
  try {
    const text = readOptional(path);
    if (text === undefined) return undefined;
    const content: unknown = JSON.parse(text.toString("utf8"));
    const old = OldAnchor.safeParse(content);
    if (!old.success) return Anchor.parse(content);
    const { wall: at, ...boot } = old.data;
    return at > wall + leaseMsMax ? undefined : { at, ...boot };
  } catch {
    return undefined; // torn: the wall clock alone
  }
}
