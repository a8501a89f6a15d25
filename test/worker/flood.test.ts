/** Floods: each is refused with when to come again, costs as little as it can, and touches nobody else. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatSeen, headers } from "#schema/wire.ts";
import {
  enrolled,
  newHost,
  poll,
  postJson,
  type TestHost,
  tokenOf,
  tokenRequest,
} from "#test/support/host.ts";
import { host, installRoot, openPlane, type Plane } from "#test/support/plane.ts";
import { openLimiter } from "#worker/http/limiter.ts";
import { Refused } from "#worker/lib/refused.ts";
import { reportOf } from "./contract/reports.ts";

let plane: Plane;
let [a, b] = ["", ""];
let hostA: TestHost;
beforeAll(async () => {
  plane = await openPlane();
  await plane.commit(host("a"), host("b"));
  await installRoot(plane);
  ({ token: a, host: hostA } = await enrolled(plane, "a"));
  ({ token: b } = await enrolled(plane, "b"));
});
afterAll(() => plane.close());

const report = (token: string, body: unknown) => postJson(plane, "/v1/agent/report", body, token);
const retryAfter = (response: Response): number => Number(response.headers.get("retry-after"));

describe("a flood", () => {
  test("of one host's reports, good or not, is refused before any is read, and no other host is", async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 40; i += 1) statuses.push((await report(a, { n: "no number" })).status);
    expect(new Set(statuses)).toEqual(new Set([400]));
    const asked = plane.queries();
    const refused = await report(a, reportOf(1, {}));
    expect([refused.status, retryAfter(refused)]).toEqual([429, 1]);
    // No more than whose token it is was looked up.
    expect(plane.queries() - asked).toBeLessThanOrEqual(1);
    expect((await report(b, reportOf(1, {}))).status).toBe(200);
    plane.advance(1000);
    expect((await report(a, reportOf(1, {}))).status).toBe(200);
  });

  test("of polls that memory does not answer is refused, and no other host's poll is", async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 121; i += 1) statuses.push((await poll(plane, a)).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(120);
    expect(statuses.at(-1)).toBe(429);
    expect((await poll(plane, b)).status).toBe(200);
    plane.advance(60_000);
    expect((await poll(plane, a)).status).toBe(200);
  });

  test("of claims to have seen more makes five leaps, and none beyond what adding is exact for", async () => {
    const version = async () =>
      (await plane.ports.sql
        .prepare("SELECT timestamp_version AS n FROM repository WHERE host = 'a'")
        .first<number>("n")) ?? 0;
    const claim = async (timestamp: number) =>
      poll(plane, a, { [headers.seen]: formatSeen({ root: 1, timestamp, targets: 1 }) });
    for (let i = 0; i < 5; i += 1) {
      const before = await version();
      expect((await claim(before + 2 ** 20)).status).toBe(200);
      expect(await version()).toBeGreaterThan(before + 2 ** 20);
    }
    const last = await version();
    const refused = await claim(last + 1);
    expect([refused.status, retryAfter(refused)]).toEqual([429, 30]);
    expect((await claim(last)).status).toBe(200);
    expect(await version()).toBe(last);
    plane.advance(30_000);
    expect((await claim(last + 1)).status).toBe(200);
    // As after long counting: there is an end to it.
    plane.advance(30_000);
    const end = 2 ** 48;
    await plane.ports.sql
      .prepare(`UPDATE repository SET timestamp_version = ${end} WHERE host = 'a'`)
      .run();
    expect((await claim(end + 1)).status).toBe(200);
    expect(await version()).toBe(end);
  });

  test("of a host's own assertions leaves twenty rows, and it may come again when they are over", async () => {
    const ask = async () =>
      postJson(plane, "/v1/agent/token", tokenRequest(await hostA.assertion()));
    plane.advance(300_000);
    const statuses: number[] = [];
    for (let i = 0; i < 21; i += 1) statuses.push((await ask()).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(20);
    expect(statuses.at(-1)).toBe(429);
    const { results } = await plane.ports.sql
      .prepare("SELECT count(*) AS n FROM assertion WHERE host = 'a' AND expires_at > ?1")
      .bind(plane.ports.clock.now())
      .all();
    expect(results).toEqual([{ n: 20 }]);
    plane.advance(121_000);
    await tokenOf(plane, hostA);
  });

  test("of strangers is refused by where they come from: one customer's addresses are one", async () => {
    const request = newHost(plane, "a").enrolRequest(`pce_${"A".repeat(43)}`, "0".repeat(64));
    const from = async (address: string) =>
      (
        await plane.request("/v1/agent/enrol", {
          method: "POST",
          headers: { "content-type": "application/json", "cf-connecting-ip": address },
          body: JSON.stringify(request),
        })
      ).status;
    for (let i = 0; i < 2000; i += 1)
      expect(await from(`2001:db8::${(1 + (i % 64)).toString(16)}`)).toBe(401);
    expect(await from("2001:db8::ffff")).toBe(429);
    expect(await from("2001:db8:0:1::1")).toBe(401);
    expect(await from("192.0.2.1")).toBe(401);
  });
});

describe("a limit", () => {
  test("is for each caller, comes back with time, and forgets those that came first", () => {
    let now = 0;
    const limiter = openLimiter({ now: () => now }, { atOnce: 2, perSecond: 0.5 });
    const admitted = (caller: string): boolean => {
      try {
        limiter.admit(caller);
        return true;
      } catch (error) {
        if (error instanceof Refused) return false;
        throw error;
      }
    };
    expect(["a", "a", "a", "b"].map(admitted)).toEqual([true, true, false, true]);
    now += 1999;
    expect(admitted("a")).toBe(false);
    now += 1;
    expect([admitted("a"), admitted("a")]).toEqual([true, false]);
    now -= 3_600_000;
    expect(admitted("a")).toBe(false);
    for (let i = 0; i < 10_000; i += 1) admitted(`other${i}`);
    expect(admitted("a")).toBe(true);
  });
});
