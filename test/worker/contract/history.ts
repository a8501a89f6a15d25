/** What ran on a host from when to when, from its reports alone, on every adapter. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Report } from "#schema/wire.ts";
import { storeReport } from "#worker/reports/rows.ts";
import { type Adapter, type Harness, hostChange, openHarness } from "./harness.ts";
import { speakerOf } from "#test/support/speaker.ts";

export function historyContract(name: string, open: () => Promise<Adapter>): void {
  describe(`the history of a host on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await h.commit([hostChange("gw")]);
    });
    afterAll(() => h.close());
    intervals(() => h);
  });
}

const digest = (letter: string): string => letter.repeat(64);
const start = Date.parse("2026-01-01T00:00:00.000Z");
const iso = (seconds: number): string => new Date(start + seconds * 1000).toISOString();

/** Arrives a second after it was said. */
async function report(
  h: Harness,
  n: number,
  at: number,
  seq: number | null,
  more: object = {},
): Promise<void> {
  const bundle = digest(seq === 1 ? "a" : "b");
  const said = Report.parse({
    n,
    at: iso(at),
    boot_id: "boot",
    agent_version: "0",
    renderer: "r",
    state: "steady",
    applied:
      seq === null ? null : { seq, revision: 1, bundle_sha256: bundle, program_sha256: bundle },
    seen: { root: 1, timestamp: 1, targets: 1 },
    guard_sha256: digest("c"),
    refusal: null,
    counters: [],
    ...more,
  });
  await storeReport(
    h.ports.sql,
    await speakerOf(h.ports.sql, "gw"),
    said,
    start + at * 1000 + 1000,
  );
}

interface Item {
  readonly from: string;
  readonly to: string | null;
  readonly seq: number | null;
  readonly state: string;
}

async function history(h: Harness, search = ""): Promise<readonly Item[]> {
  const answer = await h.call("GET", `/v1/hosts/gw/history${search}`);
  expect(answer.status).toBe(200);
  return (answer.json as { readonly items: readonly Item[] }).items;
}

const brief = (items: readonly Item[]) =>
  items.map(({ from, to, seq, state }) => [seq, state, from, to]);

function intervals(h: () => Harness): void {
  test("a row opens when what runs changes, and ends the one before at the same moment", async () => {
    await report(h(), 1, 0, null, { state: "adopting" });
    await report(h(), 2, 10, 1);
    await report(h(), 3, 20, 1);
    await report(h(), 4, 30, 2);
    await report(h(), 5, 40, 2, { guard_sha256: digest("d") });
    const expected = [
      [2, "steady", iso(40), null],
      [2, "steady", iso(30), iso(40)],
      [1, "steady", iso(10), iso(30)],
      [null, "adopting", iso(0), iso(10)],
    ];
    expect(brief(await history(h()))).toEqual(expected);
    expect(brief(await history(h(), `?at=${iso(15)}`))).toEqual([expected[2]]);
    expect(await history(h(), "?at=2020-01-01T00:00:00Z")).toEqual([]);
  });

  test("late and repeated reports change nothing, whatever they say", async () => {
    const before = await history(h());
    await report(h(), 5, 40, 2, { guard_sha256: digest("d") });
    await report(h(), 3, 20, 1);
    await report(h(), 5, 41, 1);
    await report(h(), 3, 50, 1);
    expect(await history(h())).toEqual(before);
  });

  test("a clock that is ahead or goes back gives no interval of the future and none that overlaps", async () => {
    await report(h(), 6, 60, 1, { at: iso(9_000) });
    await report(h(), 7, 70, 2, { at: iso(5) });
    const [newest, before] = await history(h());
    expect(before).toMatchObject({ seq: 1, from: iso(61), to: iso(61) });
    expect(newest).toMatchObject({ seq: 2, from: iso(61), to: null });
  });

  test("is read page by page", async () => {
    const whole = await history(h());
    const first = await h().call("GET", "/v1/hosts/gw/history?limit=2");
    const { items, next_cursor } = first.json as { items: readonly Item[]; next_cursor: string };
    const rest = await history(h(), `?cursor=${next_cursor}`);
    expect([...items, ...rest]).toEqual(whole);
  });

  test("nobody rewrites what ran", async () => {
    const forge = (sql: string) => h().ports.sql.prepare(sql).run();
    await expect(forge("UPDATE run SET seq = 9")).rejects.toThrow("run_append_only");
    await expect(forge("UPDATE run SET to_at = NULL WHERE to_at IS NOT NULL")).rejects.toThrow(
      "run_append_only",
    );
    await expect(forge("DELETE FROM run")).rejects.toThrow("run_append_only");
  });
}
