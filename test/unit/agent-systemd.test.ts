/** Who is waited for by systemd, what it is told, and that a failure to tell ends nothing. */
import { expect, test } from "vitest";
import type { Exec } from "#agent/process/spawn.ts";
import { runHeartbeat } from "#agent/cycle/loop.ts";
import { openServiceWatchdog } from "#agent/process/systemd.ts";

const unit = {
  NOTIFY_SOCKET: "/run/systemd/notify",
  WATCHDOG_USEC: "180000000",
  WATCHDOG_PID: "7",
};
const answering =
  (status: number, heard: string[] = []): Exec =>
  (argv) => {
    heard.push(argv.join(" "));
    return Promise.resolve({ status, stdout: "", stderr: "no such socket" });
  };

test("says that it is alive, by systemd's own program, to the socket it was given", async () => {
  const heard: string[] = [];
  const watchdog = openServiceWatchdog(unit, 7, answering(0, heard));
  expect(watchdog?.withinMs).toBe(180_000);
  await watchdog?.tell();
  expect(heard).toEqual(["env NOTIFY_SOCKET=/run/systemd/notify systemd-notify WATCHDOG=1"]);
});

test.each([
  ["outside a unit", {}],
  ["in a unit without a watchdog", { NOTIFY_SOCKET: unit.NOTIFY_SOCKET }],
  ["in a child of the process that is waited for", { ...unit, WATCHDOG_PID: "8" }],
  ["by a time that is none", { ...unit, WATCHDOG_USEC: "soon" }],
])("is not waited for %s", (_, environment) => {
  expect(openServiceWatchdog(environment, 7, answering(0))).toBeUndefined();
});

test("tells again and again until it is stopped, and says when nobody hears", async () => {
  const stop = new AbortController();
  const watchdog = openServiceWatchdog({ ...unit, WATCHDOG_USEC: "3000" }, 7, answering(1));
  if (watchdog === undefined) throw new Error("expected a watchdog");
  const said: string[] = [];
  const log = (line: string): void => {
    if (said.push(line) === 3) stop.abort();
  };
  await runHeartbeat(watchdog, log, stop.signal);
  expect(said).toHaveLength(3);
  expect(said[0]).toContain("no such socket");
});
