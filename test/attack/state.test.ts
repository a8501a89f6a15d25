/** What happens to a host whose files were torn, restored or emptied, and to one whose root changes under it. */
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { openKernel } from "#agent/backend/kernel.ts";
import { makeRootKey } from "#cli/root/name.ts";
import { Report } from "#schema/wire.ts";
import { memorySigner } from "#test/support/signing.ts";
import type { Floor } from "#worker/signing/repository.ts";
import type { Published } from "#worker/signing/types.ts";
import { type Authority, type Files, filesOf, publish, rootText } from "./plane.ts";
import {
  admitting,
  movedBy,
  type Namespace,
  openNamespace,
  openVictim,
  type Victim,
} from "./victim.ts";

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

const third = async (): Promise<Files> =>
  filesOf(await publish(victim.authority, admitting("203.0.113.9"), victim.second));

/** Empties files below the state directory, as a power loss leaves them. */
function zero(matches: (path: string) => boolean): void {
  for (const path of readdirSync(victim.directory, { recursive: true, encoding: "utf8" }))
    if (matches(path) && /\.(json|nft|a|b)$/.test(path))
      writeFileSync(join(victim.directory, path), "");
}

describe("refuses a replay of seq 1 after a restart, and heals on the next seq, when", () => {
  test.each<[string, (path: string) => boolean]>([
    ["nothing was damaged", () => false],
    ["timestamp and snapshot were emptied", (path) => /(timestamp|snapshot)\.json$/.test(path)],
    ["every root of every generation was emptied", (path) => /^trust.*root\.json$/.test(path)],
    ["the whole trust folder was emptied", (path) => path.startsWith("trust")],
    ["the bundle was emptied", (path) => path.startsWith("bundles")],
    ["one copy of the floors was emptied", (path) => path.endsWith("floors.a")],
    ["the other copy of the floors was emptied", (path) => path.endsWith("floors.b")],
    ["the slots were emptied", (path) => path.startsWith("slots")],
  ])("%s", async (_, matches) => {
    zero(matches);
    victim.restart();
    victim.plane.serve(filesOf(victim.first));
    const replayed = await victim.cycle();
    expect(replayed.refusal?.code).toBe("version_rollback");
    expect(await namespace.ruleset()).toBe(before);
    victim.plane.serve(await third());
    expect(await victim.cycle()).toMatchObject({
      refusal: undefined,
      state: { kind: "steady", applied: { seq: 3 } },
    });
    expect(await namespace.ruleset()).toContain("203.0.113.9");
  });
});

test("refuses a replay when an older trust folder was put back", async () => {
  const old = readdirSync(join(victim.directory, "trust")).filter((name) => name.startsWith("g"));
  for (const name of old.slice(1))
    rmSync(join(victim.directory, "trust", name), { recursive: true });
  victim.restart();
  victim.plane.serve(filesOf(victim.first));
  expect((await victim.cycle()).refusal?.code).toBe("version_rollback");
});

test("accepts nothing new, and keeps the rules, when both copies of the floors are gone", async () => {
  for (const slot of ["floors.a", "floors.b"]) rmSync(join(victim.directory, slot));
  victim.restart();
  victim.plane.serve(await third());
  const { refusal, state } = await victim.cycle();
  expect(refusal?.code).toBe("state_invalid");
  expect(state).toMatchObject({ applied: { seq: 2 } });
  expect(await namespace.ruleset()).toBe(before);
});

test("loads the committed slot again after a reboot, without the control plane", async () => {
  await namespace.clear();
  victim.restart();
  victim.plane.answer((_, response) => void response.writeHead(503).end());
  expect(await victim.cycle()).toMatchObject({
    refusal: { code: "http_status" },
    state: { kind: "steady" },
  });
  expect(await namespace.ruleset()).toBe(before);
});

test("closes, and does not start afresh, when both slots are torn after a reboot", async () => {
  zero((path) => path.startsWith("slots"));
  await namespace.clear();
  victim.restart();
  victim.plane.answer((_, response) => void response.writeHead(503).end());
  await victim.cycle();
  const ruleset = await namespace.ruleset();
  expect(ruleset).toContain("192.0.2.0/24");
  expect(ruleset).not.toContain("198.51.100.1");
  expect(ruleset).toContain("drop");
});

test("loads nothing from swapped or linked state files that is not what was committed", async () => {
  const paths = readdirSync(victim.directory, { recursive: true, encoding: "utf8" });
  const swapped = paths.filter((path) =>
    /^(slots|bundles)\/.*(ruleset\.nft|program\.json|[0-9a-f]{64}\.json)$/.test(path),
  );
  expect(swapped.length).toBeGreaterThan(4);
  for (const [n, path] of swapped.entries()) {
    const [file, foreign] = [join(victim.directory, path), join(victim.directory, `foreign-${n}`)];
    writeFileSync(foreign, readFileSync(file, "utf8").replaceAll("198.51.100.1", "203.0.113.66"));
    rmSync(file);
    symlinkSync(foreign, file);
  }
  await namespace.clear();
  victim.restart();
  victim.plane.answer((_, response) => void response.writeHead(503).end());
  await victim.cycle();
  expect(await namespace.ruleset()).toContain("192.0.2.0/24");
  expect(await namespace.ruleset()).not.toMatch(/203\.0\.113\.66|198\.51\.100\.1/);
  victim.plane.serve(await third());
  expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
  expect(await namespace.ruleset()).not.toContain("203.0.113.66");
});

test("follows a control plane that went back in time and publishes above what the host has seen", async () => {
  const restored = (floor: Floor | undefined): Promise<Published> =>
    publish(
      victim.authority,
      admitting("203.0.113.9"),
      victim.first,
      floor === undefined ? {} : { floor },
    );
  victim.plane.serve(filesOf(await restored(undefined)));
  expect((await victim.cycle()).refusal?.code).toBe("version_mismatch");
  expect(await namespace.ruleset()).toBe(before);
  const seen = String(
    victim.plane.asked.findLast(({ path }) => path === "/v1/agent/update")?.headers[
      "portcullis-seen"
    ],
  );
  const [, timestamp, targets] = /timestamp=(\d+);targets=(\d+)$/.exec(seen) ?? [];
  victim.plane.serve(
    filesOf(await restored({ timestamp: Number(timestamp), targets: Number(targets) })),
  );
  expect(await victim.cycle()).toMatchObject({
    refusal: undefined,
    state: { kind: "steady", applied: { seq: 3 } },
  });
  expect(await namespace.ruleset()).toContain("203.0.113.9");
});

test("a black-holed host goes stale, closes after its grace with management open, and recovers by itself", async () => {
  let ahead = 0;
  const clock = movedBy(
    () => ahead,
    () => (ahead = 0),
  );
  victim.restart({ clock });
  victim.plane.answer((_, response) => void response.writeHead(503).end());
  for (const [hours, kind] of [
    [0, "steady"],
    [2, "stale"],
    [60, "stale"],
    [82, "closed"],
  ] as const) {
    ahead = hours * 3_600_000;
    expect((await victim.cycle()).state.kind).toBe(kind);
    if (kind !== "closed") expect(await namespace.ruleset()).toBe(before);
  }
  const closed = await namespace.ruleset();
  expect(closed).toContain("192.0.2.0/24");
  expect(closed).not.toContain("198.51.100.1");
  victim.restart({ clock });
  expect((await victim.cycle()).state).toMatchObject({ kind: "closed", by: "expiry" });
  ahead = 0;
  victim.plane.serve(await third());
  expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
  expect(await namespace.ruleset()).toContain("203.0.113.9");
});

test("fetches again what it could not load: the ETag moves only with an applied bundle", async () => {
  victim.restart({ kernel: openKernel(openNft(namespace.exec, "/nonexistent/nft")) });
  victim.plane.serve(await third());
  const failed = await victim.cycle();
  expect(failed).toMatchObject({
    refusal: { code: "check_failed" },
    state: { applied: { seq: 2 } },
  });
  await victim.cycle();
  const polls = victim.plane.asked.filter(({ path }) => path === "/v1/agent/update");
  expect(polls.at(-2)?.headers["if-none-match"]).toBeDefined();
  expect(polls.at(-1)?.headers["if-none-match"]).toBeUndefined();
  victim.restart();
  expect(await victim.cycle()).toMatchObject({
    refusal: undefined,
    state: { applied: { seq: 3 } },
  });
});

describe("root", () => {
  const rotated = async (signers: "both" | "new only"): Promise<Authority> => {
    const { rootKeys } = victim.authority;
    const signer = memorySigner();
    const fresh = [makeRootKey(), makeRootKey(), makeRootKey()];
    const signedBy = signers === "both" ? [...rootKeys, ...fresh] : fresh;
    return {
      signer,
      rootKeys: fresh,
      root: await rootText(signer, fresh, signedBy, 2),
      version: 2,
    };
  };
  const under = async (authority: Authority): Promise<Files> => ({
    ...filesOf(await publish(authority, admitting("203.0.113.9"), undefined)),
    roots: [authority.root],
  });

  test("follows a rotation signed by old and new, and counts versions from the new keys", async () => {
    victim.plane.serve(await under(await rotated("both")));
    expect(await victim.cycle()).toMatchObject({
      refusal: undefined,
      state: { kind: "steady", applied: { seq: 1 } },
    });
    expect(await namespace.ruleset()).toContain("203.0.113.9");
    victim.restart();
    expect((await victim.cycle()).refusal).toBeUndefined();
    const polls = victim.plane.asked.filter(({ path }) => path === "/v1/agent/update");
    expect(polls.at(-1)?.headers["portcullis-seen"]).toBe("root=2;timestamp=1;targets=1");
  });

  test("catches up with twelve rotations in one cycle", async () => {
    let authority = victim.authority;
    const roots: string[] = [];
    for (let version = 2; version <= 13; version += 1) {
      const rootKeys = [makeRootKey(), makeRootKey(), makeRootKey()];
      const signer = memorySigner();
      const root = await rootText(signer, rootKeys, [...authority.rootKeys, ...rootKeys], version);
      authority = { signer, rootKeys, root, version };
      roots.push(root);
    }
    const published = await publish(authority, admitting("203.0.113.9"), undefined);
    victim.plane.serve({ ...filesOf(published), roots: roots.toSpliced(5, 1) });
    expect((await victim.cycle()).refusal?.code).toBe("root_invalid");
    expect(await namespace.ruleset()).toBe(before);
    victim.plane.serve({ ...filesOf(published), roots });
    expect(await victim.cycle()).toMatchObject({
      refusal: undefined,
      state: { kind: "steady", applied: { seq: 1 } },
    });
    expect(await namespace.ruleset()).toContain("203.0.113.9");
  });

  test("refuses a rotation that the old keys did not sign", async () => {
    victim.plane.serve(await under(await rotated("new only")));
    expect((await victim.cycle()).refusal?.code).toBe("root_invalid");
    expect(await namespace.ruleset()).toBe(before);
  });

  test("refuses one signature where two are asked", async () => {
    const [one] = victim.authority.rootKeys;
    const root = await rootText(
      victim.authority.signer,
      victim.authority.rootKeys,
      one === undefined ? [] : [one],
      2,
    );
    victim.plane.serve({ ...(await third()), roots: [root] });
    expect((await victim.cycle()).refusal?.code).toBe("root_invalid");
  });

  test("keeps a good newer root although what follows it is refused", async () => {
    const { signer, rootKeys } = victim.authority;
    const root = await rootText(signer, rootKeys, rootKeys, 2);
    victim.plane.serve({ ...filesOf(victim.first), roots: [root] });
    expect((await victim.cycle()).refusal?.code).toBe("version_rollback");
    victim.plane.serve(await third());
    expect((await victim.cycle()).refusal).toBeUndefined();
    const seen = victim.plane.asked.filter(({ path }) => path === "/v1/agent/update").at(-1);
    expect(seen?.headers["portcullis-seen"]).toMatch(/^root=2;/);
  });

  test("makes stolen online keys worth nothing by rotating them", async () => {
    const { rootKeys } = victim.authority;
    const root = await rootText(memorySigner(), rootKeys, rootKeys, 2);
    victim.plane.serve({ ...(await third()), roots: [root] });
    expect((await victim.cycle()).refusal?.code).toBe("signature_invalid");
    expect(await namespace.ruleset()).toBe(before);
  });
});

test("no secret stands in any log line", () => {
  const key = readFileSync(join(victim.directory, "host.key"), "utf8").split("\n")[1] ?? "";
  expect(victim.log.join("\n")).not.toContain(key);
  expect(victim.log.join("\n")).not.toContain("pce_test");
});

test("a host whose count was lost goes on above what the control plane has, and its report counts", async () => {
  await victim.cycle();
  const numbers = (): readonly number[] =>
    victim.plane.asked
      .filter(({ path }) => path === "/v1/agent/report")
      .map(({ body }) => Report.parse(JSON.parse(body)).n);
  const last = Math.max(...numbers());
  const sent = numbers().length;
  expect(last).toBeGreaterThan(1);
  rmSync(join(victim.directory, "report.json"));
  victim.restart();
  await victim.cycle();
  expect(numbers().slice(sent)).toEqual([1, last + 1]);
});

test("reports once for all that a cycle changed, and otherwise once an hour", async () => {
  // An hour back, so that the lease outlasts the hour that passes here.
  let now = Date.now() - 3_600_000;
  victim.restart({ now: () => now });
  const reported = async (later: number): Promise<readonly Report["state"][]> => {
    now += later;
    const heard = victim.plane.asked.length;
    await victim.cycle();
    return victim.plane.asked
      .slice(heard)
      .filter(({ path }) => path === "/v1/agent/report")
      .map(({ body }) => Report.parse(JSON.parse(body)).state);
  };
  expect(await reported(0)).toEqual(["steady"]);
  expect(await reported(3_599_999)).toEqual([]);
  expect(await reported(1)).toEqual(["steady"]);
  victim.plane.serve(await third());
  expect(await reported(20_000)).toEqual(["steady"]);
  expect(await reported(20_000)).toEqual([]);
});
