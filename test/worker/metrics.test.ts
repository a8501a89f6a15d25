/** What Prometheus reads: ends of roles and hosts by state, from a control plane whose clock is moved. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeRootKey } from "#cli/root/name.ts";
import { enrolled } from "#test/support/host.ts";
import { host, installRoot, openPlane, overlay, type Plane } from "#test/support/plane.ts";

let plane: Plane;
beforeAll(async () => {
  plane = await openPlane();
  await plane.commit(host("a"), host("b"));
});
afterAll(() => plane.close());

async function metrics(): Promise<ReadonlyMap<string, number>> {
  const response = await plane.operator("GET", "/v1/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4");
  const lines = (await response.text()).trimEnd().split("\n");
  const samples = lines.filter((line) => !line.startsWith("#"));
  for (const line of samples)
    expect(line).toMatch(/^portcullis_[a-z_]+(?:\{[a-z]+="[a-z_]+"\})? -?\d+$/);
  return new Map(samples.map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
}

const expiry = (role: string): string => `portcullis_role_expiry_seconds{role="${role}"}`;

test("says how long each role is good, the soonest over all hosts, and counts hosts by state and by what to look at", async () => {
  expect((await metrics()).has(expiry("root"))).toBe(false);
  const first = await installRoot(plane);
  await enrolled(plane, "a");
  plane.advance(3_600_000);
  const now = await metrics();
  const day = 86_400;
  for (const [role, life] of [
    ["root", 365 * day],
    ["targets", 30 * day],
    ["snapshot", 14 * day],
    ["timestamp", day],
  ] as const)
    expect([role, Math.abs((now.get(expiry(role)) ?? 0) - (life - 3600)) < 60]).toEqual([
      role,
      true,
    ]);
  expect(now.get('portcullis_hosts{state="unknown"}')).toBe(1);
  expect(now.get('portcullis_hosts{state="unenrolled"}')).toBe(1);
  expect(now.get('portcullis_hosts{state="steady"}')).toBe(0);
  expect(now.get("portcullis_pending_targets")).toBe(0);

  plane.advance(22 * 3_600_000);
  const late = await metrics();
  expect(late.get('portcullis_host_warnings{code="expiring"}')).toBe(1);
  expect(late.get('portcullis_host_warnings{code="silent"}')).toBe(1);
  plane.advance(2 * 3_600_000);
  expect((await metrics()).get(expiry("timestamp"))).toBeLessThan(0);

  await installRoot(plane, 2, first, {
    keys: [makeRootKey().key, makeRootKey().key],
    threshold: 2,
  });
  await plane.commit(overlay("vpn", "a"));
  expect((await metrics()).get("portcullis_pending_targets")).toBe(1);
});
