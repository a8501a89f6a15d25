/**
 * What systemd expects of a service with `WatchdogSec=` (sd_watchdog_enabled(3), sd_notify(3)): to hear from it within
 * that time. Node has no datagram sockets in the file system, so systemd's own program says it.
 */
import type { Exec } from "./spawn.ts";

export interface ServiceWatchdog {
  /** How long it may hear nothing before it ends this process. */
  readonly withinMs: number;
  /** Resolves when systemd has heard. @throws Error when it has not */
  readonly tell: () => Promise<void>;
}

/** Undefined where nobody waits for process `pid`: outside a unit, in one without a watchdog, in a child of one. */
export function openServiceWatchdog(
  environment: NodeJS.ProcessEnv,
  pid: number,
  exec: Exec,
): ServiceWatchdog | undefined {
  const {
    NOTIFY_SOCKET: socket,
    WATCHDOG_USEC: within = "",
    WATCHDOG_PID: waitedFor,
  } = environment;
  if (socket === undefined || !/^[1-9]\d{0,15}$/.test(within) || waitedFor !== `${pid}`)
    return undefined;
  return {
    withinMs: Number(within) / 1000,
    tell: async () => {
      const argv = ["env", `NOTIFY_SOCKET=${socket}`, "systemd-notify", "WATCHDOG=1"];
      const { status, stderr } = await exec(argv, "");
      if (status !== 0) throw new Error(`systemd-notify: ${stderr.trim()}`);
    },
  };
}
