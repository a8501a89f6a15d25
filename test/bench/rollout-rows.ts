/**
 * What a rollout costs on D1, in rows as D1 itself counts them: the same hundred hosts in a fleet of 10,000 beside those
 * in a fleet of 1,000. A report, and a minute in which nothing happens, must not cost more in a larger fleet; nor must
 * what a transition writes. What it reads does, as it compiles from all of intent.
 */
import { migrate } from "#lab/fleet/workerd.ts";
import { Gates, RolloutRequest } from "#schema/rollout.ts";
import { Report } from "#schema/wire.ts";
import { openRemoteD1 } from "#test/support/d1.ts";
import { openMeter, type Reading, since } from "#test/support/meter.ts";
import { memorySigner } from "#test/support/signing.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import type { Blobs, Ports, Sql } from "#worker/ports/index.ts";
import { startRollout } from "#worker/rollouts/start.ts";
import { takeReport } from "#worker/poll/report.ts";
import { defaultRetention } from "#worker/ports/retention.ts";
import { storeReport } from "#worker/reports/rows.ts";
import { commit } from "#worker/commits/commit.ts";
import { speakerOf } from "#test/support/speaker.ts";

interface Row {
  readonly name: string;
  readonly value: number;
  readonly floor: number;
  readonly ratio: number;
  readonly goal: number | null;
}

const waveSize = 100;
const gates = Gates.parse({ bake_seconds: 3600 });

/** Ratios are to be at most their goal. */
export async function bench(): Promise<readonly Row[]> {
  const [small, large] = [await measured(1000), await measured(10_000)];
  const row = (name: string, of: (costs: Costs) => number, goal: number | null): Row => {
    const [value, floor] = [of(large), of(small)];
    return { name: `D1 rows ${name}`, value, floor, ratio: value / floor, goal };
  };
  return [
    row("read by a report", ({ report }) => report.read, 1.1),
    row("written by a report", ({ report }) => report.written, 1.1),
    row("read by a minute in which nobody reports", ({ idle }) => idle.read, 1.1),
    row("read by a minute of 100 reports, none news", ({ same }) => same.read, 1.1),
    row("read as 100 hosts commit", ({ judged }) => judged.read, null),
    row("written as 100 hosts commit", ({ judged }) => judged.written, 1.1),
    row("read to give the next 100 hosts theirs", ({ given }) => given.read, null),
    row("written to give the next 100 hosts theirs", ({ given }) => given.written, 1.1),
  ];
}

interface Costs {
  /** Of one host's report, the mean. */
  readonly report: Reading;
  /** The minute in which all hosts of a wave turn out to have committed. */
  readonly judged: Reading;
  readonly idle: Reading;
  readonly same: Reading;
  readonly given: Reading;
}

async function measured(hosts: number): Promise<Costs> {
  const { sql, close } = openRemoteD1();
  try {
    await migrate(openMeter(sql).sql);
    return await costs(sql, hosts);
  } finally {
    await close();
  }
}

const nameOf = (i: number): string => `host-${i}`;
const wavesBefore = ["first", "second"] as const;

async function costs(sql: Sql, hosts: number): Promise<Costs> {
  const clock = { at: Date.now(), now: () => clock.at };
  const meter = openMeter(sql);
  const ports: Ports = {
    sql: meter.sql,
    blobs: memoryBlobs(),
    clock,
    signer: memorySigner(),
    settings: {
      fleet: "f1",
      adminTokenSha256: "",
      leaseSeconds: 604_800,
      pollSeconds: 30,
      release: "open",
      retention: defaultRetention,
    },
  };
  const cost = async (run: () => Promise<void>): Promise<Reading> => {
    const before = meter.reading();
    await run();
    return since(meter.reading(), before);
  };
  const minute = (seconds: number): Promise<Reading> =>
    cost(async () => {
      clock.at += seconds * 1000;
      await maintain(ports);
    });
  await begun(ports, hosts);
  const wave = Array.from({ length: waveSize }, (_, i) => nameOf(i));
  const report = (n: number): Promise<Reading> =>
    cost(async () => {
      for (const host of wave) await reported(ports, host, n);
    });
  await minute(60);
  const reports = await report(1);
  const judged = await minute(60);
  // The first minute after a transition looks at all of it, and remembers that nothing is due.
  await minute(60);
  const idle = await minute(121);
  // A bake is heard of in its second half.
  clock.at += 1800 * 1000;
  await report(2);
  await minute(1);
  await minute(60);
  await report(3);
  const same = await minute(1);
  const given = await minute(3600);
  const share = (total: number): number => total / wave.length;
  const each = { statements: 0, read: share(reports.read), written: share(reports.written) };
  return { report: each, judged, idle, same, given };
}

/** The fleet, a revision staged for all of it, and its rollout, which has given the first hosts theirs. */
async function begun(ports: Ports, hosts: number): Promise<void> {
  const grant = { ingress: [{ from: "any", port: 443, proto: "tcp" as const }], to: ["role:web"] };
  const made = await commit(ports, "bench", {
    message: "fleet",
    source: "api",
    release: "now",
    changes: Array.from({ length: hosts }, (_, i) => {
      const wave = wavesBefore[Math.floor(i / waveSize)] ?? "rest";
      const body = { addresses: [], roles: ["web"], labels: { wave } };
      return { op: "put" as const, kind: "host" as const, key: nameOf(i), body };
    }),
  });
  const staged = await commit(ports, "bench", {
    message: "opened",
    source: "api",
    release: "staged",
    changes: [{ op: "put", kind: "service", key: "opened", body: grant }],
  });
  if (!made.ok || !staged.ok) throw new Error("the fleet was refused");
  const strategy = { kind: "labels", waves: wavesBefore.map((wave) => ({ wave })) };
  await startRollout(ports, "bench", RolloutRequest.parse({ strategy, gates, note: "bench" }));
}

async function reported(ports: Ports, host: string, n: number): Promise<void> {
  const sha256 = "0".repeat(64);
  const report = Report.parse({
    n,
    at: new Date(ports.clock.now()).toISOString(),
    boot_id: "boot",
    agent_version: "0",
    renderer: "bench",
    state: "steady",
    applied: { seq: 2, revision: 2, bundle_sha256: sha256, program_sha256: sha256 },
    seen: { root: 1, timestamp: 1, targets: 2 },
    guard_sha256: null,
    refusal: null,
    counters: [],
  });
  await storeReport(ports.sql, await speakerOf(ports.sql, host), report, ports.clock.now());
  await takeReport(ports, await speakerOf(ports.sql, host), report);
}

function memoryBlobs(): Blobs {
  const kept = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    put: (sha256, bytes) => Promise.resolve(void kept.set(sha256, bytes)),
    get: (sha256) => Promise.resolve(kept.get(sha256)),
    list: () => Promise.resolve([]),
    remove: (sha256) => Promise.resolve(void kept.delete(sha256)),
  };
}
