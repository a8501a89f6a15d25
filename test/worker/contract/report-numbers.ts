/** How reports are counted and bounded: under the key that says them, so far above the last, so many at once and in all. */
import { afterAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import { readEvidence } from "#worker/reports/evidence-rows.ts";
import { storeReport } from "#worker/reports/rows.ts";
import { speakerOf } from "#test/support/speaker.ts";
import { hostToken } from "./enrolled.ts";
import { type Adapter, type Answer, expectProblem, type Harness, openHarness } from "./harness.ts";
import { reportOf } from "./reports.ts";

export function reportNumberContract(name: string, open: () => Promise<Adapter>): void {
  describe(`numbers of reports on ${name}`, () => {
    let h: Harness;
    let made = 0;
    const gw = () => `gw${made}`;
    beforeEach(async () => {
      h ??= await openHarness(open);
      made += 1;
      await h.put("host", gw(), {});
    });
    afterEach(() => h.advance(3_600_000));
    afterAll(() => h.close());
    const numbers: Numbers = {
      h: () => h,
      gw,
      send: (token, n, over = {}) =>
        h.call("POST", "/v1/agent/report", { token, body: { ...reportOf(1, over), n } }),
      shown: async () =>
        (await h.call("GET", `/v1/hosts/${gw()}/status`)).json as {
          readonly report: { applied_seq: number } | null;
        },
    };
    counting(numbers);
    bounds(numbers);
  });
}

interface Numbers {
  readonly h: () => Harness;
  /** Another host for each test. */
  readonly gw: () => string;
  readonly send: (token: string, n: number, over?: object) => Promise<Answer>;
  readonly shown: () => Promise<{ readonly report: { readonly applied_seq: number } | null }>;
}

const applied = (seq: number) => ({
  applied: { seq, revision: 1, bundle_sha256: "a".repeat(64), program_sha256: "b".repeat(64) },
});

function counting({ h, gw, send, shown }: Numbers): void {
  test("belong to the key: the highest one of a thief keeps nobody from being heard who is enrolled after him", async () => {
    const thief = await hostToken(h(), gw());
    const key = await speakerOf(h().ports.sql, gw());
    const top = 2 ** 32;
    expect((await send(thief, top, applied(9))).json).toEqual({ n: top });
    const honest = await hostToken(h(), gw());
    expect(await shown()).toMatchObject({ report: null });
    const standing = (await h().call("GET", `/v1/hosts/${gw()}`)).json;
    expect(standing).toMatchObject({
      status: { state: "unknown", applied: null, last_report_at: null },
    });
    expect((await readEvidence(h().ports.sql, [gw()])).size).toBe(0);
    expect((await send(honest, 1, applied(2))).json).toEqual({ n: 1 });
    expect(await shown()).toMatchObject({ report: { applied_seq: 2 } });
    const runs = await h().call("GET", `/v1/hosts/${gw()}/history`);
    expect(runs.json).toMatchObject({ items: [{ seq: 2, to: null }, { seq: 9 }] });
    // His key may be believed for some seconds more, but it is not the host's.
    const late = await storeReport(
      h().ports.sql,
      key,
      reportOf(top + 1, applied(9)),
      h().ports.clock.now(),
    );
    expect(late).toEqual({ kind: "superseded" });
    expectProblem(await send(thief, top + 1, applied(9)), 401, "unauthenticated");
    expect((await h().call("GET", `/v1/hosts/${gw()}/history`)).json).toEqual(runs.json);
  });

  test("rise by no more than a lost count may: the rest is refused, and the next one counts on", async () => {
    const token = await hostToken(h(), gw());
    expect((await send(token, 5)).json).toEqual({ n: 5 });
    for (const n of [5 + 2 ** 32 + 1, 2 ** 52, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER, 2 ** 60]) {
      const { errors } = expectProblem(await send(token, n), 400, "bad_request");
      expect(new Set(errors?.map(({ path }) => path))).toEqual(new Set(["/n"]));
    }
    expect((await send(token, 6)).json).toEqual({ n: 6 });
    expect((await send(token, 5 + 2 ** 32)).json).toEqual({ n: 5 + 2 ** 32 });
    expect((await send(token, 7)).json).toEqual({ n: 5 + 2 ** 32 });
  });

  test("of one key are stored once each, however late or often they come", async () => {
    const token = await hostToken(h(), gw());
    for (const n of [1, 2, 2, 1, 3, 2]) expect((await send(token, n)).status).toBe(200);
    expect(await h().count(`SELECT count(*) AS n FROM report WHERE host = '${gw()}'`)).toBe(3);
  });
}

function bounds({ h, gw, send }: Numbers): void {
  test("are twenty a minute at most: the host is told when to come again, and is heard then", async () => {
    const token = await hostToken(h(), gw());
    for (let n = 1; n <= 20; n += 1) {
      expect((await send(token, n)).status).toBe(200);
      h().advance(1000);
    }
    const refused = await send(token, 21);
    expectProblem(refused, 429, "too_many_requests");
    expect(refused.headers.get("retry-after")).toBe("40");
    expect((await send(token, 20)).json).toEqual({ n: 20 });
    const other = await hostToken(h(), "gw1");
    expect((await send(other, 1)).status).toBe(200);
    h().advance(39_999);
    expect((await send(token, 21)).status).toBe(429);
    h().advance(1);
    expect((await send(token, 21)).json).toEqual({ n: 21 });
  });

  test("are heard after the control plane's clock was set back", async () => {
    const token = await hostToken(h(), gw());
    h().advance(7_200_000);
    for (let n = 1; n <= 20; n += 1) await send(token, n);
    h().advance(-7_200_000);
    expect((await send(token, 21)).status).toBe(200);
  });

  test("keep the newest fifty reports of a host, and no more", async () => {
    const token = await hostToken(h(), gw());
    const large = {
      counters: Array.from({ length: 1000 }, (_, i) => ({ name: `r_${i}`, packets: 0, bytes: 0 })),
    };
    for (let n = 1; n <= 60; n += 1) {
      expect((await send(token, n, large)).status).toBe(200);
      h().advance(3000);
    }
    const { results } = await h()
      .ports.sql.prepare(
        "SELECT min(number) AS oldest, max(number) AS newest, count(*) AS n FROM report WHERE host = ?1",
      )
      .bind(gw())
      .all();
    expect(results).toEqual([{ oldest: 11, newest: 60, n: 50 }]);
  });
}
