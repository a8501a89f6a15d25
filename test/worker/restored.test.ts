/**
 * A control plane that was put back to an older day: it goes on above what its hosts have seen, and a host's own trust
 * room takes what it says within one cycle.
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Trust, TrustedBundle } from "#agent/trust/index.ts";
import type { Change } from "#schema/intent.ts";
import { pinned } from "#test/support/believer.ts";
import { enrolled } from "#test/support/host.ts";
import { host, installRoot, openPlane, type Plane } from "#test/support/plane.ts";

let folder: string;
let data: string;
let now: number;
let plane: Plane;
let root: string;

const service = (key: string, port: number): Change => ({
  op: "put",
  kind: "service",
  key,
  body: { ingress: [{ from: "any", port, proto: "tcp" }], to: ["host:gw"] },
});

/** The control plane as another process would find its folder, an hour later. */
async function reopen(between: () => void = () => undefined): Promise<void> {
  now = plane.ports.clock.now() + 3_600_000;
  await plane.close();
  between();
  plane = await openPlane({ data, now });
}
const restore = (): Promise<void> =>
  reopen(() => {
    rmSync(data, { recursive: true });
    cpSync(join(folder, "backup"), data, { recursive: true });
  });

/** A host and the plane it asks, whichever process that is now. */
interface Asking {
  readonly trust: Trust;
  readonly token: string;
  cycle(): Promise<TrustedBundle | undefined>;
}
function asking(name: string, token: string): Asking {
  const self = pinned(join(folder, name), root, name, token);
  return { trust: self.trust, token, cycle: () => self.cycle(plane) };
}

const ports = (bundle: TrustedBundle | undefined): readonly number[] =>
  (bundle?.ruleset.rules ?? []).flatMap(({ protocol }) =>
    protocol.kind === "tcp" && protocol.ports.kind === "ranges"
      ? protocol.ports.ranges.map((r) => r.from)
      : [],
  );

let gw: Asking;
let other: Asking;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "portcullis-restored-"));
  data = join(folder, "data");
  plane = await openPlane({ data });
  await plane.commit(host("gw"), host("other"), service("ssh", 22));
  root = (await installRoot(plane)).text;
  gw = asking("gw", (await enrolled(plane, "gw")).token);
  other = asking("other", (await enrolled(plane, "other")).token);
  await gw.cycle();
  await other.cycle();
  await reopen(() => cpSync(data, join(folder, "backup"), { recursive: true }));
});
afterAll(async () => {
  await plane.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("a control plane put back to an older day", () => {
  test("goes on above what a host has seen, though the host was in a rollout that is forgotten", async () => {
    const staged = { message: "m", release: "staged", changes: [service("web", 443)] };
    expect((await plane.operator("POST", "/v1/commits", staged)).status).toBe(201);
    const rollout = { strategy: { kind: "all" }, note: "n" };
    expect((await plane.operator("POST", "/v1/rollouts", rollout)).status).toBe(201);
    expect(ports(await gw.cycle())).toEqual([22, 443]);
    await plane.commit(service("dns", 53));
    plane.advance(5_000);
    const newest = await gw.cycle();
    expect(ports(newest)).toEqual([53, 22, 443]);

    await restore();
    const back = await gw.cycle();
    expect(ports(back)).toEqual([22]);
    expect(back?.custom.seq).toBe((newest?.custom.seq ?? 0) + 1);
    expect(await plane.operator("GET", "/v1/rollouts/1")).toMatchObject({ status: 404 });
    const again = await plane.operator("POST", "/v1/commits", staged);
    expect(await again.json()).toMatchObject({ staged: ["gw"] });
    expect((await plane.operator("POST", "/v1/rollouts", rollout)).status).toBe(201);
    plane.advance(5_000);
    expect(ports(await gw.cycle())).toEqual([22, 443]);
  });

  test("goes above its own numbers where a host has seen them with other content", async () => {
    const elsewhere = (port: number): Change => ({
      op: "put",
      kind: "service",
      key: "elsewhere",
      body: { ingress: [{ from: "any", port, proto: "tcp" }], to: ["host:other"] },
    });
    await restore();
    await plane.commit(elsewhere(2222));
    plane.advance(5_000);
    const lost = await other.cycle();
    await restore();
    // As many publications as before, and so the same versions.
    await plane.commit(elsewhere(2223));
    plane.advance(5_000);
    const found = await other.cycle();
    expect(ports(found)).toContain(2223);
    expect(found?.custom.seq).toBeGreaterThan(lost?.custom.seq ?? 0);
    plane.advance(5_000);
    expect(await other.cycle()).toBeUndefined();
  });

  test("a host that was away while the fleet's count climbed past what it knows misses nothing", async () => {
    await restore();
    for (let port = 1000; port < 1010; port += 1) await plane.commit(service("many", port));
    plane.advance(5_000);
    const before = await gw.cycle();
    expect(ports(before)).toContain(1009);
    await restore();
    await plane.commit(service("late", 81));
    for (let port = 2000; port < 2030; port += 1) {
      const elsewhere: Change = {
        op: "put",
        kind: "service",
        key: "elsewhere",
        body: { ingress: [{ from: "any", port, proto: "tcp" }], to: ["host:other"] },
      };
      await plane.commit(elsewhere);
    }
    plane.advance(5_000);
    const after = await gw.cycle();
    expect(ports(after)).toEqual([81, 22]);
    expect(after?.custom.seq).toBeGreaterThan(before?.custom.seq ?? 0);
  });
});
