/**
 * A control plane that was put back to an older day: it goes on above what its hosts have seen, and a host's own trust
 * room takes what it says within one cycle.
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTrust, pinRoot, type Trust, type TrustedBundle } from "#agent/trust/index.ts";
import type { Change } from "#schema/intent.ts";
import { formatSeen, headers, Update } from "#schema/wire.ts";
import { enrolled, poll } from "#test/support/host.ts";
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

/** A host's own side: what it believes, and what it sends with a poll. */
interface Believer {
  readonly trust: Trust;
  readonly token: string;
  generation: string;
  tag: string;
  /** One cycle. @returns undefined for a 304 */
  cycle(): Promise<TrustedBundle | undefined>;
}

function believer(name: string, token: string): Believer {
  const directory = join(folder, name);
  pinRoot(directory, Buffer.from(root));
  const rootSha256 = createHash("sha256").update(root).digest("hex");
  const opened = openTrust(directory, { host: name, fleet: "f1", rootSha256 }, Date.now());
  if (!opened.ok) throw new Error(opened.refusal.message);
  const trust = opened.value;
  const self: Believer = {
    trust,
    token,
    generation: "",
    tag: "",
    async cycle() {
      const known = self.tag === "" ? {} : { "if-none-match": self.tag, generation: self.generation };
      const response = await poll(plane, token, { seen: formatSeen(trust.seen()), ...known });
      self.generation = response.headers.get(headers.generation) ?? "";
      if (response.status === 304) return undefined;
      self.tag = response.headers.get("etag") ?? "";
      const update = Update.parse(await response.json());
      const bytes = (text: string): Buffer => Buffer.from(text, "base64");
      const accepted = await trust.accept(
        {
          roots: update.roots.map(bytes),
          timestamp: bytes(update.timestamp),
          snapshot: bytes(update.snapshot),
          targets: bytes(update.targets),
          bundle: update.bundle === undefined ? undefined : bytes(update.bundle),
        },
        trust.hint(),
        plane.ports.clock.now(),
      );
      if (!accepted.ok) throw new Error(`${accepted.refusal.code}: ${accepted.refusal.message}`);
      return accepted.value;
    },
  };
  return self;
}

const ports = (bundle: TrustedBundle | undefined): readonly number[] =>
  (bundle?.ruleset.rules ?? []).flatMap(({ protocol }) =>
    protocol.kind === "tcp" && protocol.ports.kind === "ranges"
      ? protocol.ports.ranges.map((r) => r.from)
      : [],
  );

let gw: Believer;
let other: Believer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "portcullis-restored-"));
  data = join(folder, "data");
  plane = await openPlane({ data });
  await plane.commit(host("gw"), host("other"), service("ssh", 22));
  root = (await installRoot(plane)).text;
  gw = believer("gw", (await enrolled(plane, "gw")).token);
  other = believer("other", (await enrolled(plane, "other")).token);
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
