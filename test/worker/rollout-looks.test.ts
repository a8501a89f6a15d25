/** What the minute reads of a rollout: nothing of its hosts while nothing can have changed, and all of it when something can. */
import { afterEach, expect, test } from "vitest";
import { Report } from "#schema/wire.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import type { Ports } from "#worker/ports/index.ts";
import { act } from "#worker/rollouts/act.ts";
import { pin } from "#worker/served/pin.ts";
import { readRollout } from "#worker/rollouts/read.ts";
import { storeReport } from "#worker/reports/rows.ts";
import { commit } from "#worker/commits/commit.ts";
import { type Meter, openMeter, since } from "#test/support/meter.ts";
import { openPlane, type Plane } from "#test/support/plane.ts";
import { speakerOf } from "#test/support/speaker.ts";

const hosts = Array.from({ length: 40 }, (_, i) => `h${i}`);
/** Of the first wave: the rest waits for it. */
const canaries = hosts.slice(0, 20);

let plane: Plane;
let meter: Meter;
let ports: Ports;
afterEach(() => plane.close());

/** A rollout whose first wave has committed, bakes for a day, and was looked at since. */
async function baking(): Promise<void> {
  plane = await openPlane();
  meter = openMeter(plane.ports.sql);
  ports = { ...plane.ports, sql: meter.sql };
  await plane.commit(
    ...hosts.map((key) => ({
      op: "put" as const,
      kind: "host" as const,
      key,
      body: {
        addresses: [],
        roles: ["web"],
        labels: canaries.includes(key) ? { wave: "first" } : {},
      },
    })),
  );
  const body = { ingress: [{ from: "any", port: 443, proto: "tcp" as const }], to: ["role:web"] };
  const changes = [{ op: "put" as const, kind: "service" as const, key: "opened", body }];
  await commit(ports, "test", { message: "m", source: "api", release: "staged", changes });
  const strategy = { kind: "labels", waves: [{ wave: "first" }] };
  const gates = { bake_seconds: 86_400 };
  await plane.operator("POST", "/v1/rollouts", { strategy, gates, note: "n" });
  for (const host of canaries) await said(host, 1);
  await minute();
  await minute();
}

async function said(host: string, n: number, over: object = {}): Promise<void> {
  const sha256 = "0".repeat(64);
  const report = Report.parse({
    n,
    at: new Date(ports.clock.now()).toISOString(),
    boot_id: "boot",
    agent_version: "0",
    renderer: "r",
    state: "steady",
    applied: { seq: 2, revision: 2, bundle_sha256: sha256, program_sha256: sha256 },
    seen: { root: 1, timestamp: 1, targets: 2 },
    guard_sha256: null,
    refusal: null,
    counters: [],
    ...over,
  });
  await storeReport(ports.sql, await speakerOf(ports.sql, host), report, ports.clock.now());
}

/** @returns the rows that it was given */
async function minute(seconds = 61): Promise<number> {
  plane.advance(seconds * 1000);
  const before = meter.reading();
  await maintain(ports);
  return since(meter.reading(), before).read;
}

const status = async () => (await readRollout(ports.sql, 1))?.status;

test("an idle minute reads nothing of any host, and a report that is no news nothing of another one", async () => {
  await baking();
  await minute(121);
  expect(await minute(121)).toBeLessThan(10);
  await said("h0", 2);
  expect(await minute()).toBeLessThan(15);
});

test("a host that committed and turns bad is found by the next minute", async () => {
  await baking();
  await minute();
  await said("h3", 2, { state: "degraded" });
  await minute();
  expect(await status()).toBe("rolled_back");
});

test("a report that was received before the look and stored after it is heard all the same", async () => {
  await baking();
  plane.advance(-30_000);
  await said("h3", 2, { state: "degraded" });
  plane.advance(30_000);
  await minute(1);
  expect(await status()).toBe("rolled_back");
});

test("what a person does to a rollout or a host is seen by the next minute", async () => {
  await baking();
  await pin(ports, "alice", "h39", { reason: "r" });
  await minute();
  expect((await readRollout(ports.sql, 1))?.attention).toMatchObject([
    { host: "h39", standing: "skipped" },
  ]);
  await minute();
  await act(ports, "alice", 1, "rollback", { reason: "r" });
  expect(await status()).toBe("rolled_back");
});

test("a host that fell silent is found when its time is over, with no report of anybody", async () => {
  await baking();
  for (let i = 0; i < 125; i += 1) await minute(60);
  expect(await status()).toBe("rolled_back");
});
