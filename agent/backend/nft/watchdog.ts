/** Arms the watchdog: a process of its own that outlives this one and goes back unless the candidate is committed. */
import { join, resolve } from "node:path";
import { watchdogScript } from "./scripts.ts";
import { startDetached } from "#agent/process/spawn.ts";

export interface Watchdog {
  /**
   * Resolves once the watchdog is at its post.
   * @param slot folder of the candidate
   * @param deadline seconds on CLOCK_BOOTTIME
   * @param seconds the same from now, should the uptime not be readable
   */
  arm(slot: string, deadline: number, seconds: number): Promise<void>;
}

/**
 * @param fallback folder of the closed ruleset outside the state directory
 * @param prefix put before its argv, such as `["ip", "netns", "exec", "gw"]`
 */
export function openWatchdog(
  directory: string,
  fallback: string,
  nft: string,
  prefix: readonly string[] = [],
): Watchdog {
  const state = resolve(directory);
  const program = nft.includes("/") ? resolve(nft) : nft;
  return {
    arm: (slot, deadline, seconds) => {
      const times = [String(Math.ceil(deadline)), String(Math.ceil(seconds))];
      const words = [state, resolve(fallback), join(state, "slots", slot), ...times, program];
      return startDetached([
        ...prefix,
        "/bin/sh",
        "-c",
        watchdogScript,
        "portcullis-watchdog",
        ...words,
      ]);
    },
  };
}
