/**
 * The time by which a lease ages. The wall clock alone could be turned back, and then a lease would never end; so time
 * is also counted on CLOCK_BOOTTIME, which goes on during sleep and cannot be set, from the moment the lease was taken.
 * The later of the two counts. Never used to verify or to sign: a wrong wall clock is mended by NTP, this one is not.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { uptime } from "node:os";
import * as z from "zod";
import { isErrno, readOptional, writeDurable } from "./persist.ts";

const Anchor = z.strictObject({
  /** Milliseconds since the Unix epoch. */
  wall: z.number(),
  /** Milliseconds since the boot named here. */
  boot: z.number(),
  boot_id: z.string(),
});
type Anchor = z.infer<typeof Anchor>;

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
  /** A lease was taken now, by the wall clock. */
  anchor(): void;
}

export const systemClocks = (): Clocks => ({
  wall: Date.now,
  boot: () => uptime() * 1000,
  bootId: bootId(),
});

/** random(4): another id after every boot. Empty where there is no /proc. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

export function openLeaseClock(directory: string, clocks: Clocks): LeaseClock {
  const path = join(directory, "clock.json");
  const here = (): Anchor => ({ wall: clocks.wall(), boot: clocks.boot(), boot_id: clocks.bootId });
  let since = read(path) ?? here();
  // Time switched off is not known, so after a boot only the time since then is added.
  const elapsed = (): number => clocks.boot() - (since.boot_id === clocks.bootId ? since.boot : 0);
  return {
    now: () => Math.max(clocks.wall(), since.wall + elapsed()),
    anchor() {
      since = here();
      try {
        writeDurable(path, JSON.stringify(since));
      } catch (error) {
        if (!isErrno(error)) throw error; // a full disk: it still counts until the next start
      }
    },
  };
}

function read(path: string): Anchor | undefined {
  try {
    const text = readOptional(path);
    return text === undefined ? undefined : Anchor.parse(JSON.parse(text.toString("utf8")));
  } catch {
    return undefined; // torn: the wall clock alone
  }
}
