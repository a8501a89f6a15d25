/** The watchdog of an apply: sh, nft and coreutils, whatever becomes of the state directory once it is armed. */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openWatchdog } from "#agent/backend/nft/watchdog.ts";
import { commitSlot, type SlotName, makeSlotSeal } from "#agent/disk/slots.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { run, waitUntil } from "#lab/run/process.ts";
import { BootHost } from "./boot-host.ts";

let host: BootHost;
beforeAll(async () => void (host = await BootHost.open()));
afterAll(() => host.close());
beforeEach(async () => {
  await host.wipe();
  host.join();
});

async function arm(slot: SlotName): Promise<void> {
  const up = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  const watchdog = openWatchdog(host.directory, host.fallback, "nft", inNamespace(host.namespace));
  await watchdog.arm(slot, up + 2, 2);
}

/** A candidate in the kernel, and its watchdog over it. */
async function loaded(): Promise<SlotName> {
  const slot = host.stage(2);
  await arm(slot);
  await host.nft("-f", join(host.directory, "slots", slot, "ruleset.nft"));
  expect(await host.held()).toBe("seq 2");
  return slot;
}

const expectBack = async (what: string): Promise<void> => {
  const back = async () => ((await host.held()) === what ? what : undefined);
  expect(await waitUntil(`the watchdog to go back to ${what}`, back)).toBe(what);
};

let mounted = false;
function mountReadOnly(): void {
  execFileSync("mount", ["--bind", host.directory, host.directory]);
  mounted = true;
  execFileSync("mount", ["-o", "remount,bind,ro", host.directory]);
}
afterEach(() => {
  if (mounted) execFileSync("umount", ["--lazy", host.directory]);
  mounted = false;
});

test.each([
  ["is gone", () => rmSync(host.directory, { recursive: true })],
  ["lost every file", () => rmSync(join(host.directory, "slots"), { recursive: true })],
  ["cannot be written", mountReadOnly],
])("goes back to what was committed although the state directory %s meanwhile", async (_, fail) => {
  host.commit(1);
  await loaded();
  fail();
  await expectBack("seq 1");
});

test("closes by the copy beside the guard when nothing was committed and the state directory is gone", async () => {
  await loaded();
  rmSync(host.directory, { recursive: true });
  await expectBack("closed");
});

test("starts for no candidate that is not there", async () => {
  host.commit(1);
  await expect(arm("b")).rejects.toThrow(/ended before/);
});

test.each([
  ["was committed", (slot: SlotName) => void commitSlot(host.directory, slot)],
  [
    "was committed, and its slot has the next candidate",
    (slot: SlotName) => {
      commitSlot(host.directory, slot);
      commitSlot(host.directory, host.stage(3));
      expect(host.stage(4)).toBe(slot);
    },
  ],
])("leaves a candidate alone that %s", async (_, decide) => {
  host.commit(1);
  const slot = await loaded();
  decide(slot);
  const decided = makeSlotSeal(host.directory, slot);
  await waitUntil("the watchdog to end", async () =>
    (await run(["pgrep", "-f", `portcullis-watchdog ${host.directory}`])).code === 0
      ? undefined
      : true,
  );
  expect(await host.held()).toBe("seq 2");
  expect(makeSlotSeal(host.directory, slot)).toBe(decided);
});
