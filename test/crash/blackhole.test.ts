/**
 * A host that hears nothing from its control plane any more, seen by packets: its rules stay while it is stale, it closes
 * after its grace, the management port answers throughout, and it comes back by itself when it hears again, elsewhere.
 */
import { expect, test } from "vitest";
import { readIdentity } from "#agent/disk/identity.ts";
import { openClient } from "#agent/transport/client.ts";
import { defaultLimits } from "#agent/transport/request.ts";
import { filesOf, openPlane, publish } from "#test/attack/plane.ts";
import { admitting, movedBy } from "#test/attack/victim.ts";
import { knocksNow, openField, stranger } from "./arena.ts";

const hour = 3_600_000;

test("cut off, a host goes from steady to stale to closed, and back when the control plane has another address", async () => {
  const field = await openField();
  const { victim, knocking } = field;
  const elsewhere = await openPlane(victim.authority.root);
  try {
    let ahead = 0;
    const clock = movedBy(() => ahead);
    victim.restart({ clock });
    const third = await publish(victim.authority, admitting(stranger), victim.second);
    victim.plane.serve(filesOf(third));
    expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
    victim.plane.answer((_, response) => void response.destroy());
    const seen: [string, boolean][] = [];
    const look = async (kind: string): Promise<void> => {
      const { opens, lockOuts, knocks } = await knocksNow(knocking);
      expect({ lockOuts, silent: knocks === 0 }).toEqual({ lockOuts: 0, silent: false });
      seen.push([kind, opens > 0]);
    };
    for (const hours of [0, 2, 60, 82]) {
      ahead = hours * hour;
      await look((await victim.cycle()).state.kind);
    }
    ahead = 0;
    const identity = readIdentity(victim.directory);
    if (identity === undefined) throw new Error("expected to have joined");
    victim.restart({ clock, client: openClient(elsewhere.url, identity, defaultLimits) });
    await look((await victim.cycle()).state.kind);
    elsewhere.serve(
      filesOf(await publish(victim.authority, admitting(stranger, "203.0.113.9"), third)),
    );
    await look((await victim.cycle()).state.kind);
    expect(seen).toEqual([
      ["steady", true],
      ["stale", true],
      ["stale", true],
      ["closed", false],
      ["closed", false],
      ["steady", true],
    ]);
  } finally {
    await elsewhere.close();
    await field.close();
  }
});
