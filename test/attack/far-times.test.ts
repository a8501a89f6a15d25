/**
 * Times that a thief of the online keys puts far ahead: they are not believed, nothing that this host writes down moves
 * with them, and what an older agent believed of them heals at the next start. A hold ends with the keys that caused it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readFloors, writeFloors } from "#agent/trust/floors.ts";
import { noHint, writeGeneration } from "#agent/trust/generations.ts";
import type { RoleFloor } from "#core/tuf/floors.ts";
import { memorySigner } from "#test/support/signing.ts";
import type { Published } from "#worker/signing/types.ts";
import {
  type Authority,
  customEdit,
  type Files,
  filesOf,
  publish,
  resign,
  rootText,
  sha256,
} from "./plane.ts";
import { admitting, type Namespace, openNamespace, openVictim, type Victim } from "./victim.ts";

let namespace: Namespace;
let victim: Victim;
let before: string;
beforeAll(async () => void (namespace = await openNamespace()));
afterAll(() => namespace.close());
beforeEach(async () => {
  victim = await openVictim(namespace);
  before = await namespace.ruleset();
});
afterEach(() => victim.close());

const day = 86_400_000;
const date = (days: number): string =>
  `${new Date(Date.now() + days * day).toISOString().slice(0, 19)}Z`;
const ending = (days: number) => (payload: object) => ({ ...payload, expires: date(days) });
const eighty = 80 * 365;
const read = (name: string): string => readFileSync(join(victim.directory, name), "utf8");

/** What a thief of the online keys signs next. */
const stolen = (edits: Parameters<typeof resign>[2]): Promise<Files> =>
  resign(victim.authority, victim.good, edits);

test.each<[string, Parameters<typeof resign>[2]]>([
  ["a lease of 80 years", { timestamp: ending(eighty) }],
  ["a lease of nine days", { timestamp: ending(9) }],
  ["a snapshot of sixteen days", { snapshot: ending(16) }],
  ["targets of 80 years", { targets: ending(eighty) }],
  [
    "everything good for 80 years",
    { timestamp: ending(eighty), snapshot: ending(eighty), targets: ending(eighty) },
  ],
  [
    "an issue 80 years ahead",
    { targets: customEdit((custom) => ({ ...custom, issued: date(eighty) })) },
  ],
])("refuses %s, and writes nothing down of it", async (_, edits) => {
  const kept = ["clock.json", "floors.a", "floors.b"].map(read);
  victim.plane.serve(await stolen(edits));
  expect(await victim.cycle()).toMatchObject({
    refusal: { code: "time_far" },
    state: { kind: "steady" },
  });
  expect(["clock.json", "floors.a", "floors.b"].map(read)).toEqual(kept);
  expect(await namespace.ruleset()).toBe(before);
});

test("refuses a lease in the year 9999, which no reader can count with", async () => {
  victim.plane.serve(
    await stolen({ timestamp: (payload) => ({ ...payload, expires: "9999-12-31T23:59:59Z" }) }),
  );
  expect((await victim.cycle()).refusal?.code).toBe("metadata_malformed");
});

/** Three reverts, so that the host holds. @returns the last that was tried, to go on from without a newer revision */
async function held(): Promise<Published> {
  victim.plane.confirm(false);
  let last = victim.second;
  for (const address of ["203.0.113.1", "203.0.113.2", "203.0.113.3"]) {
    last = await publish(victim.authority, admitting(address), last);
    victim.plane.serve(filesOf(last));
    await victim.cycle();
  }
  victim.plane.confirm(true);
  const { repository } = last;
  const tried = { ...last, repository: { ...repository, revision: repository.revision - 1 } };
  victim.plane.serve(filesOf(await publish(victim.authority, admitting("203.0.113.4"), tried)));
  expect((await victim.cycle()).state.kind).toBe("hold");
  return tried;
}

/** The same online roles by other keys, and the root that says so. */
async function ceremony(): Promise<Authority> {
  const { rootKeys } = victim.authority;
  const signer = memorySigner();
  return { signer, rootKeys, root: await rootText(signer, rootKeys, rootKeys, 2), version: 2 };
}

describe("a hold", () => {
  test("ends with the keys that caused it: under a root with others the next bundle is applied at once", async () => {
    const last = await held();
    const rotated = await ceremony();
    const next = await publish(rotated, admitting("203.0.113.9"), last);
    victim.plane.serve({ ...filesOf(next), roots: [rotated.root] });
    expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
    expect(await namespace.ruleset()).toContain("203.0.113.9");
  });

  test("ends with a root that names other keys, also where what came with it is refused, and over a restart", async () => {
    const last = await held();
    const rotated = await ceremony();
    victim.plane.serve({ ...filesOf(last), roots: [rotated.root] });
    const { refusal, state } = await victim.cycle();
    expect([refusal?.code, state.kind]).toEqual(["signature_invalid", "steady"]);
    victim.restart();
    victim.plane.serve({
      ...filesOf(await publish(rotated, admitting("203.0.113.9"), last)),
      roots: [rotated.root],
    });
    expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
  });

  test("stays under a root that names the same keys", async () => {
    const last = await held();
    const { signer, rootKeys } = victim.authority;
    const root = await rootText(signer, rootKeys, rootKeys, 2);
    const next = await publish(victim.authority, admitting("203.0.113.9"), last, {
      floor: { timestamp: 90, targets: 90 },
    });
    victim.plane.serve({ ...filesOf(next), roots: [root] });
    expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "hold" } });
  });
});

describe("what an agent from before wrote down heals at the start", () => {
  const far = Date.parse("9999-01-01T00:00:00Z");

  test("reverts and a clock of the year 9999: the host neither holds nor takes its lease for over", async () => {
    writeFileSync(
      join(victim.directory, "reverts.json"),
      JSON.stringify({ at: [far, far + 1, far + 2], barred: null }),
    );
    const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    const boot_id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    writeFileSync(
      join(victim.directory, "clock.json"),
      JSON.stringify({ wall: far, boot: uptime * 1000, boot_id }),
    );
    victim.restart();
    expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
    victim.plane.serve(
      filesOf(await publish(victim.authority, admitting("203.0.113.9"), victim.second)),
    );
    expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
    expect(await namespace.ruleset()).toContain("203.0.113.9");
  });

  test("a lease of 80 years: it is not taken up again, and the next honest one is", async () => {
    const edits = { timestamp: ending(eighty), snapshot: ending(eighty), targets: ending(eighty) };
    const { timestamp, snapshot, targets } = await stolen(edits);
    const floors = readFloors(victim.directory);
    const seen = <T extends RoleFloor>(floor: T | null, text: string): T => {
      if (floor === null) throw new Error("expected a host that believed something");
      const { version } = (JSON.parse(text) as { signed: { version: number } }).signed;
      return { ...floor, version, sha256: sha256(text) };
    };
    writeFloors(victim.directory, {
      root: floors.root,
      timestamp: seen(floors.timestamp, timestamp),
      snapshot: seen(floors.snapshot, snapshot),
      targets: seen(floors.targets, targets),
    });
    const bytes = (text: string): Buffer => Buffer.from(text);
    writeGeneration(join(victim.directory, "trust"), {
      root: bytes(victim.authority.root),
      metadata: { timestamp: bytes(timestamp), snapshot: bytes(snapshot), targets: bytes(targets) },
      hint: { ...noHint, accepted_at: Date.now() },
    });
    victim.restart();
    victim.plane.answer((_request, response) => void response.writeHead(503).end());
    expect((await victim.cycle()).state).toMatchObject({ kind: "stale", leaseEndsAt: null });
    const next = await publish(victim.authority, admitting("203.0.113.9"), victim.second, {
      floor: { timestamp: 9, targets: 9 },
    });
    victim.plane.serve(filesOf(next));
    const { refusal, state } = await victim.cycle();
    expect([refusal, state.kind]).toEqual([undefined, "steady"]);
    expect(state).toMatchObject({ leaseEndsAt: next.repository.lease_expires_at });
  });
});
