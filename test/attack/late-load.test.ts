/** An apply that is slower than its watchdog: what the watchdog has taken back is not loaded after it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Failpoint } from "#agent/cycle/enforce.ts";
import { openWatchdog } from "#agent/backend/nft/watchdog.ts";
import { fallbackOf } from "#agent/cycle/fallback.ts";
import { slotNames, makeSlotSeal } from "#agent/disk/slots.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { waitUntil } from "#lab/run/process.ts";
import { filesOf, publish } from "./plane.ts";
import { admitting, type Namespace, openNamespace, openVictim, type Victim } from "./victim.ts";

let namespace: Namespace;
let victim: Victim;
beforeAll(async () => void (namespace = await openNamespace()));
afterAll(() => namespace.close());
beforeEach(async () => void (victim = await openVictim(namespace)));
afterEach(() => victim.close());

test("an agent that dies after a load for which its watchdog was too early leaves what was committed", async () => {
  const before = await namespace.ruleset();
  victim.plane.serve(
    filesOf(await publish(victim.authority, admitting("203.0.113.1"), victim.second)),
  );
  const { directory, guardPath } = victim;
  const watchdog = openWatchdog(
    directory,
    fallbackOf(guardPath),
    "nft",
    inNamespace(namespace.name),
  );
  victim.restart({
    watchdog: {
      // Its time is up at once, as where the machine slept or was too busy between arming and loading.
      arm: async (slot) => {
        await watchdog.arm(slot, 0, 0);
        await waitUntil("the watchdog to go back", async () =>
          Promise.resolve(
            slotNames.some((name) => makeSlotSeal(directory, name) === "reverted")
              ? true
              : undefined,
          ),
        );
      },
    },
    pass: (passed: Failpoint) => {
      if (passed === "read-back") throw new Error("died");
    },
  });
  const { refusal } = await victim.cycle().catch(() => ({ refusal: undefined }));
  expect(await namespace.ruleset()).toBe(before);
  expect(refusal?.code).toBe("load_failed");
});
