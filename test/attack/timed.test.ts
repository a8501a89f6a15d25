/**
 * Grants that end, on a host whose clock goes back: what this host has seen to end stays ended, for boot too, and nothing
 * that is granted for a while is granted by a clock that is behind the ruleset. The kernel's clock here is the machine's:
 * a host that has seen a later time is one whose clock went back.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { CutFlows } from "#agent/flows/conntrack.ts";
import type { Rules } from "#agent/flows/flows.ts";
import { fallbackOf } from "#agent/cycle/fallback.ts";
import type { Parts } from "#agent/cycle/parts.ts";
import { readCommittedSlot } from "#agent/disk/slots.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { restoring } from "#test/support/restoring.ts";
import { filesOf, publish } from "./plane.ts";
import {
  admitting,
  movedBy,
  type Namespace,
  openNamespace,
  openVictim,
  type Victim,
} from "./victim.ts";

const hour = 3_600;
const day = 24 * hour;

let namespace: Namespace;
let victim: Victim;
/** Milliseconds by which the agent's own time is ahead of the kernel's. */
let ahead: number;
let cuts: (readonly [now: Rules, before: Rules | undefined])[];
beforeAll(async () => void (namespace = await openNamespace()));
afterAll(() => namespace.close());
beforeEach(async () => {
  ahead = 0;
  cuts = [];
  victim = await openVictim(namespace);
  restart();
});
afterEach(() => victim.close());

const restart = (more: Partial<Parts> = {}): void =>
  victim.restart({
    ...more,
    clock: movedBy(() => ahead),
    cutFlows: async (now, before): Promise<CutFlows> => {
      cuts.push([now, before]);
      return Promise.resolve({ ok: true, cut: 0 });
    },
  });

/** One address for ever, one for an hour and one for a day. */
function timed(from: number): Ruleset {
  const forever = admitting("198.51.100.1");
  const [grant] = forever.rules;
  if (grant === undefined) throw new Error("expected a grant");
  const until = (name: string, seconds: number) => ({
    ...grant,
    row: `hosts/gw#${name}`,
    counter: `r_${name}`,
    source: { kind: "set" as const, set: `g_${name}` },
    expires: from + seconds,
  });
  const sets = (["day", "hour"] as const).map((name, i) => ({
    name: `g_${name}`,
    kind: "addresses" as const,
    elements: [`203.0.113.${i}`],
  }));
  return {
    ...forever,
    sets: [...sets, ...forever.sets],
    rules: [until("hour", hour), until("day", day), ...forever.rules],
  };
}

const seconds = (): number => Math.floor(Date.now() / 1000);
async function take(ruleset: Ruleset, now = Date.now()): Promise<void> {
  const leaseSeconds = day;
  victim.plane.serve(
    filesOf(await publish(victim.authority, ruleset, victim.second, { now, leaseSeconds })),
  );
  expect(await victim.cycle()).toMatchObject({
    refusal: undefined,
    state: { kind: "steady", applied: { seq: 3 } },
  });
}

/** Which of the grants the kernel would let pass by, as counters in rules that are there. */
const granted = async (): Promise<readonly string[]> => {
  const rules = (await namespace.ruleset())
    .split("\n")
    .filter((line) => /counter name .* accept/.test(line));
  return ["hour", "day", "office"].filter((name) =>
    rules.some((rule) => rule.includes(`"r_${name}"`)),
  );
};

/** Empties the kernel and loads what boot loads. */
async function boot(): Promise<readonly string[]> {
  await namespace.clear();
  const { status } = await namespace.exec(
    restoring(victim.directory, fallbackOf(victim.guardPath)),
    "",
  );
  expect(status).toBe(0);
  return granted();
}
const offline = (): void =>
  victim.plane.answer((_, response) => void response.writeHead(503).end());

test("what ended is left out of the kernel and of what boot loads, though nobody can be reached, and its flows end", async () => {
  await take(timed(seconds()));
  expect(await granted()).toEqual(["hour", "day", "office"]);
  expect(await boot()).toEqual(["hour", "day", "office"]);
  offline();
  ahead = 2 * hour * 1000;
  cuts = [];
  await victim.cycle();
  expect(await granted()).toEqual(["day", "office"]);
  expect(await boot()).toEqual(["day", "office"]);
  expect(cuts).toHaveLength(1);
  await victim.cycle();
  expect(cuts).toHaveLength(1);
});

test("a start by a clock that is behind does not bring back what had ended", async () => {
  await take(timed(seconds()));
  offline();
  ahead = 2 * hour * 1000;
  await victim.cycle();
  expect(await boot()).toEqual(["day", "office"]);
  restart();
  await victim.cycle();
  expect(await granted()).toEqual(["day", "office"]);
});

test("what ended stays out of what boot loads when the same ruleset comes under a higher seq", async () => {
  const now = Date.now();
  const ruleset = timed(seconds());
  const third = await publish(victim.authority, ruleset, victim.second, { now, leaseSeconds: day });
  victim.plane.serve(filesOf(third));
  await victim.cycle();
  ahead = 2 * hour * 1000;
  await victim.cycle();
  expect(await boot()).toEqual(["day", "office"]);
  const between = await publish(victim.authority, admitting("198.51.100.9"), third, {
    now,
    leaseSeconds: day,
  });
  const again = await publish(victim.authority, ruleset, between, { now, leaseSeconds: day });
  victim.plane.serve(filesOf(again));
  expect((await victim.cycle()).state).toMatchObject({ kind: "steady", applied: { seq: 5 } });
  expect(await boot()).toEqual(["day", "office"]);
});

test("a start after something ended leaves it out before anybody is asked", async () => {
  await take(timed(seconds()));
  offline();
  ahead = 2 * hour * 1000;
  restart();
  await victim.cycle();
  expect(await granted()).toEqual(["day", "office"]);
  expect(await boot()).toEqual(["day", "office"]);
});

test("what was left out by a clock that ran ahead is granted again once it is right", async () => {
  await take(timed(seconds()));
  ahead = 2 * hour * 1000;
  await victim.cycle();
  expect(await granted()).toEqual(["day", "office"]);
  ahead = 0;
  await victim.cycle();
  expect(await granted()).toEqual(["hour", "day", "office"]);
});

test("a ruleset is taken without what has ended already, and is the same program by its digest", async () => {
  const ruleset = timed(seconds() - 2 * hour);
  await take(ruleset);
  expect(await granted()).toEqual(["day", "office"]);
  expect(await boot()).toEqual(["day", "office"]);
  expect((await victim.cycle()).refusal).toBeUndefined();
  expect(existsSync(join(victim.directory, "txn.json"))).toBe(false);
});

test("no clock that stands before the ruleset was made lets anybody in by a grant that ends", async () => {
  const now = Date.now() + 3 * day * 1000;
  ahead = 3 * day * 1000;
  restart({ now: () => Date.now() + ahead });
  await take(timed(seconds() + 3 * day), now);
  const since = Math.floor(now / 1000) - 600;
  const text = readFileSync(
    join(victim.directory, "slots", readCommittedSlot(victim.directory)?.name ?? "", "ruleset.nft"),
    "utf8",
  );
  const rules = text.split("\n").filter((line) => line.includes("meta time"));
  expect(rules).toHaveLength(4);
  for (const rule of rules)
    expect(rule).toMatch(new RegExp(`meta time >= ${since} meta time < \\d+ counter name`));
});
