/** What holds on every adapter when many write at once. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Change, Commit } from "#schema/intent.ts";
import type { Blobs } from "#worker/ports/index.ts";
import { verifyAudit } from "#worker/audit/verify.ts";
import { commit, type CommitResult } from "#worker/commits/commit.ts";
import {
  type Adapter,
  type Harness,
  hostChange,
  memberChange,
  openHarness,
  overlayChange,
} from "./harness.ts";

export function raceContract(name: string, open: () => Promise<Adapter>): void {
  describe(`writers on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await committed(() => h, [hostChange("gw"), overlayChange("office", "gw", 8)]);
    });
    afterAll(() => h.close());
    crowds(() => h);
    turns(() => h);
    parents(() => h);
  });
}

async function committed(h: () => Harness, changes: readonly Change[]): Promise<void> {
  const result = await h().commit(changes);
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`);
}

function crowds(h: () => Harness): void {
  test("commits each of 50 concurrent commits exactly once", async () => {
    const head = await h().count("SELECT head AS n FROM fleet");
    const keys = Array.from({ length: 50 }, (_, i) => `office/racer${i}`);
    const results = await Promise.all(
      keys.map((key, i) => h().commit([memberChange(key, "dev", `10.8.7.${i}`)])),
    );
    const revisions = results
      .map((result) => (result.ok ? result.revision : -1))
      .sort((a, b) => a - b);
    expect(revisions).toEqual(Array.from({ length: 50 }, (_, i) => head + 1 + i));
    expect(
      await h().count("SELECT count(*) AS n FROM firewall_groups WHERE cn LIKE 'racer%'"),
    ).toBe(50);
    expect(await verifyAudit(h().ports.sql)).toMatchObject({ ok: true });
  });

  test("answers a commit of 200 hosts beside hooks that hardly rest, and every write of theirs", async () => {
    const fleet = Array.from({ length: 200 }, (_, i): Change => {
      const body = { addresses: [], roles: ["web"], labels: {} };
      return { op: "put", kind: "host", key: `web-${i}`, body };
    });
    await committed(h, fleet);
    let over = false;
    let written = 0;
    const hook = async (name: number): Promise<void> => {
      while (!over) {
        const group = written % 2 === 0 ? "dev" : "ops";
        await committed(h, [memberChange(`office/restless${name}`, group, `10.8.9.${name}`)]);
        written += 1;
        // workerd serves no timer, and so no writer that waits, as long as its own D1 keeps it busy.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const hooks = Promise.all([1, 2, 3, 4].map(hook));
    const ingress = [{ from: "any", port: 443, proto: "tcp" as const }];
    const body = { ingress, to: ["role:web"] };
    const long = h().commit([{ op: "put", kind: "service", key: "opened", body }]);
    const result = await long.finally(() => {
      over = true;
    });
    await hooks;
    expect(result).toMatchObject({ ok: true, changed: true });
    expect(result.ok ? result.hosts : []).toHaveLength(200);
    expect(written).toBeGreaterThan(0);
    expect(await verifyAudit(h().ports.sql)).toMatchObject({ ok: true });
  });
}

function turns(h: () => Harness): void {
  test("lets a commit through that another writer beats at every try, and the others after it", async () => {
    const { blobs, sql } = h().ports;
    const others: Promise<CommitResult>[] = [];
    const isHeld = () => h().count("SELECT count(*) AS n FROM turn");
    const put: Blobs["put"] = async (sha256, bytes) => {
      const other = h().commit([
        memberChange(`office/faster${others.length}`, "dev", `10.8.5.${others.length}`),
      ]);
      others.push(other);
      let first = false;
      void other.finally(() => {
        first = true;
      });
      // The other is first, or waits: in the queue of one process, or for the turn.
      while (!first && sql.inTurn === undefined && (await isHeld()) === 0)
        // A store that answers at once would else keep timers, and so the other, from their turn.
        await new Promise((resolve) => setTimeout(resolve, 0));
      await blobs.put(sha256, bytes);
    };
    const request = Commit.parse({
      message: "m",
      changes: [memberChange("office/slow", "ops", "10.8.5.200")],
    });
    const result = await commit({ ...h().ports, blobs: { ...blobs, put } }, "test", request);
    expect(result).toMatchObject({ ok: true, changed: true });
    for (const other of await Promise.all(others)) expect(other).toMatchObject({ ok: true });
    expect(others.length).toBeGreaterThan(sql.inTurn === undefined ? 1 : 0);
    expect(await isHeld()).toBe(0);
    expect(await verifyAudit(sql)).toMatchObject({ ok: true });
  });

  test.each([
    ["by a writer that was killed ends by itself", 1_500],
    [
      "into a future that no turn reaches, as after the clock was set back, counts nothing",
      86_400_000,
    ],
  ])("a turn taken %s", async (_, milliseconds) => {
    const now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    await h()
      .ports.sql.prepare(`INSERT INTO turn VALUES (1, 'gone', ${now} + ${milliseconds})`)
      .run();
    const result = await h().commit([
      memberChange(`office/later${milliseconds}`, "dev", `10.8.4.${milliseconds % 7}`),
    ]);
    expect(result).toMatchObject({ ok: true, changed: true });
    expect(
      await h().count(
        `SELECT count(*) AS n FROM turn WHERE until > ${now} AND until <= ${now} + 60000`,
      ),
    ).toBe(0);
    await h().ports.sql.prepare("DELETE FROM turn").run();
  });
}

function parents(h: () => Harness): void {
  test("lets exactly one of 20 commits with the same parent through", async () => {
    const head = await h().count("SELECT head AS n FROM fleet");
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        h().commit([memberChange("office/one", "dev", `10.8.6.${i}`)], head),
      ),
    );
    expect(results.filter((result) => result.ok)).toHaveLength(1);
    for (const result of results.filter((candidate) => !candidate.ok))
      expect(result).toEqual({ ok: false, code: "stale_parent", head: head + 1 });
    expect(await h().count("SELECT head AS n FROM fleet")).toBe(head + 1);
  });
}
