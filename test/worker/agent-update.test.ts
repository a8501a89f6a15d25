import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { decodeBundle } from "#schema/bundle.ts";
import { headers, Update } from "#schema/wire.ts";
import { enrolled, poll, postJson, tokenRequest } from "#test/support/host.ts";
import {
  type Ceremony,
  host,
  installRoot,
  openPlane,
  overlay,
  type Plane,
} from "#test/support/plane.ts";
import { createApp } from "#worker/app.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { listen, type Listener } from "#worker/standalone/listen.ts";

let plane: Plane;
let a: string;
let b: string;
let ceremony: Ceremony;
beforeAll(async () => {
  plane = await openPlane();
  await plane.commit(host("a"), host("b"));
  ceremony = await installRoot(plane);
  a = (await enrolled(plane, "a")).token;
  b = (await enrolled(plane, "b")).token;
});
afterAll(() => plane.close());

const held = (response: Response) => ({
  "if-none-match": response.headers.get("etag") ?? "",
  generation: response.headers.get(headers.generation) ?? "",
});

describe("GET /v1/agent/update", () => {
  test("gives a host its metadata and bundle, named by the tag of the timestamp's bytes", async () => {
    const response = await poll(plane, a, { seen: "root=1;timestamp=0;targets=0" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/vnd.portcullis.update");
    expect(response.headers.get("cache-control")).toBe("private, no-store, no-transform");
    expect(response.headers.get("etag")).toMatch(/^"t1-[0-9a-f]{16}"$/);
    expect(response.headers.get(headers.pollAfter)).toBe("30");
    const update = Update.parse(await response.json());
    expect(update.roots).toEqual([]);
    expect(Buffer.from(update.targets, "base64").toString()).toContain('"host":"a"');
    const bundle = decodeBundle(Buffer.from(update.bundle ?? "", "base64"));
    expect(bundle).toMatchObject({
      ok: true,
      ruleset: { rules: [{ row: "defaults/host#in", verdict: "drop" }] },
    });
  });

  test("leaves out the bundle that the host holds", async () => {
    const { bundle_sha256 } = (await plane.ports.sql
      .prepare("SELECT bundle_sha256 FROM repository WHERE host = 'a'")
      .first<{ bundle_sha256: string }>()) ?? { bundle_sha256: "" };
    const update = Update.parse(await (await poll(plane, a, { bundle: bundle_sha256 })).json());
    expect(update.bundle).toBeUndefined();
  });

  test.each([
    ["the tag", (tag: string) => tag, 304],
    ["the tag, weak", (tag: string) => `W/${tag}`, 304],
    ["a list with the tag", (tag: string) => `"x", W/${tag} , "y"`, 304],
    ["*", () => "*", 304],
    ["another tag", () => '"t0-0000000000000000"', 200],
    ["the tag without quotes", (tag: string) => tag.replaceAll('"', ""), 200],
    ["a tag that ends in ours", (tag: string) => tag.replace('"', '"x'), 200],
    ["nothing", () => "", 200],
  ])("compares If-None-Match weakly: %s", async (_, ifNoneMatch, status) => {
    const tag = (await poll(plane, a)).headers.get("etag") ?? "";
    expect((await poll(plane, a, { "if-none-match": ifNoneMatch(tag) })).status).toBe(status);
  });

  test("touches no storage when nothing changed: 100 polls, no query after the first", async () => {
    const first = await poll(plane, a);
    const known = held(first);
    const before = plane.queries();
    for (let i = 0; i < 100; i += 1) {
      const response = await poll(plane, a, known);
      expect(response.status).toBe(304);
      expect(response.headers.get(headers.generation)).toBe(known.generation);
    }
    expect(plane.queries()).toBe(before);
  });

  test("asks the store again once in 5 s, with one batch", async () => {
    const known = held(await poll(plane, a));
    plane.advance(5_000);
    const before = plane.queries();
    const polls = Array.from({ length: 20 }, () => poll(plane, a, known));
    for (const response of await Promise.all(polls)) expect(response.status).toBe(304);
    // One batch of four statements.
    expect(plane.queries() - before).toBe(5);
  });

  test("verifies a token once for its whole life, with a key imported once, however rarely its host polls", async () => {
    const known = held(await poll(plane, a));
    const verify = vi.spyOn(crypto.subtle, "verify");
    const importKey = vi.spyOn(crypto.subtle, "importKey");
    try {
      for (let i = 0; i < 20; i += 1) {
        plane.advance(900_000);
        expect((await poll(plane, a, known)).status).toBe(304);
      }
      expect([verify.mock.calls.length, importKey.mock.calls.length]).toEqual([0, 0]);
    } finally {
      vi.restoreAllMocks();
    }
    plane.advance(24 * 3_600_000);
    expect((await poll(plane, a, known)).status).toBe(401);
    plane.advance(-29 * 3_600_000);
  });

  test("tells a changed host at its next poll, and no other", async () => {
    const [knownA, knownB] = [held(await poll(plane, a)), held(await poll(plane, b))];
    await plane.commit(overlay("vpn", "a"));
    plane.advance(5_000);
    const changed = await poll(plane, a, knownA);
    expect(changed.status).toBe(200);
    const unchanged = await poll(plane, b, knownB);
    expect(unchanged.status).toBe(304);
    expect(unchanged.headers.get(headers.generation)).toBe(changed.headers.get(headers.generation));
    const [againA, againB] = [held(changed), { ...knownB, generation: held(unchanged).generation }];
    const before = plane.queries();
    expect((await poll(plane, a, againA)).status).toBe(304);
    expect((await poll(plane, b, againB)).status).toBe(304);
    expect(plane.queries()).toBe(before);
  });

  test("reads the store for a host that claims a generation from the future", async () => {
    const known = held(await poll(plane, a));
    const before = plane.queries();
    expect((await poll(plane, a, { ...known, generation: "999999" })).status).toBe(304);
    expect(plane.queries()).toBeGreaterThan(before);
  });

  test("gives a new root to every host, once", async () => {
    const known = held(await poll(plane, b));
    const second = await installRoot(plane, 2, ceremony);
    const response = await poll(plane, b, { ...known, seen: "root=1;timestamp=1;targets=1" });
    expect(response.status).toBe(200);
    const { roots } = Update.parse(await response.json());
    expect(roots.map((root) => Buffer.from(root, "base64").toString())).toEqual([second.text]);
    const after = { ...held(response), seen: "root=2;timestamp=1;targets=1" };
    expect((await poll(plane, b, after)).status).toBe(304);
  });

  test("refuses a host that says what it has seen in another form", async () => {
    expect((await poll(plane, a, { seen: "root=1" })).status).toBe(400);
  });

  test("goes on above what a host has seen, when the store is older than the host", async () => {
    const response = await poll(plane, b, { seen: "root=2;timestamp=40;targets=7" });
    expect(response.headers.get("etag")).toMatch(/^"t41-/);
    const update = Update.parse(await response.json());
    expect(JSON.parse(Buffer.from(update.targets, "base64").toString())).toMatchObject({
      signed: { version: 8 },
    });
    const absurd = await poll(plane, b, { seen: "root=2;timestamp=999999999;targets=8" });
    expect(absurd.headers.get("etag")).toMatch(/^"t41-/);
  });
});

describe("a poll over a socket", () => {
  const named = [
    "cache-control",
    "x-content-type-options",
    headers.generation,
    headers.pollAfter,
    "etag",
    "www-authenticate",
  ];
  const said = (response: Response) => [
    response.status,
    named.map((name) => response.headers.get(name)),
  ];
  let listener: Listener;
  beforeAll(async () => {
    listener = await listen(createApp(plane.ports), { kind: "plain", host: "127.0.0.1", port: 0 });
  });
  afterAll(() => listener.close());

  test("is answered as the app answers it, whether or not the fleet's news were asked for first", async () => {
    const known = held(await poll(plane, b));
    const both = async (path: string, init: RequestInit) => {
      const [over, within] = [
        await fetch(`${listener.url}${path}`, init),
        await plane.request(path, init),
      ];
      await over.arrayBuffer();
      expect(said(over)).toEqual(said(within));
      return over.status;
    };
    const sent = {
      authorization: `Bearer ${b}`,
      "if-none-match": known["if-none-match"],
      [headers.generation]: known.generation,
      [headers.seen]: "root=2;timestamp=0;targets=0",
    };
    const path = "/v1/agent/update";
    expect(await both(path, { headers: sent })).toBe(304);
    expect(await both(path, { headers: sent })).toBe(304);
    plane.advance(5_000);
    expect(await both(path, { headers: sent })).toBe(304);
    expect(await both(path, { headers: { ...sent, [headers.generation]: "1" } })).toBe(304);
    expect(await both(path, { headers: { ...sent, [headers.renew]: "1" } })).toBe(304);
    expect(
      await both(path, { headers: { ...sent, "if-none-match": '"t0-0000000000000000"' } }),
    ).toBe(304);
    const { authorization } = sent;
    expect(await both(path, { headers: { authorization } })).toBe(200);
    expect(await both(path, { headers: { ...sent, authorization: `Bearer ${b}x` } })).toBe(401);
    expect(await both(`${path}?x=1`, { headers: sent })).toBe(400);
    expect(await both(path, { headers: sent, method: "POST" })).toBe(405);
    expect(await both("/v1/agent", { headers: sent })).toBe(404);
  });
});

describe("the lease", () => {
  test("is renewed only past half of it and only when asked, and moves no generation", async () => {
    const seen = "root=2;timestamp=0;targets=0";
    const known = { ...held(await poll(plane, a, { seen })), seen };
    expect((await poll(plane, a, { ...known, renew: "1" })).status).toBe(304);
    plane.advance(12 * 3_600_000 + 1_000);
    expect((await poll(plane, a, known)).status).toBe(304);
    expect((await poll(plane, a, { seen })).headers.get("etag")).toBe(known["if-none-match"]);
    const renewed = await poll(plane, a, { ...known, renew: "1" });
    expect(renewed.status).toBe(200);
    expect(renewed.headers.get("etag")).not.toBe(known["if-none-match"]);
    expect(renewed.headers.get(headers.generation)).toBe(known.generation);
    expect((await poll(plane, a, { ...held(renewed), seen, renew: "1" })).status).toBe(304);
  });

  test("is renewed once when twenty polls of one host ask at once", async () => {
    const version = async (): Promise<number> => {
      const sql = "SELECT timestamp_version AS v FROM repository WHERE host = 'a'";
      return (await plane.ports.sql.prepare(sql).first<{ v: number }>())?.v ?? 0;
    };
    const before = await version();
    plane.advance(13 * 3_600_000);
    const { token } = await enrolled(plane, "a");
    const polls = Array.from({ length: 20 }, () => poll(plane, token, { renew: "1" }));
    const tags = (await Promise.all(polls)).map((response) => response.headers.get("etag"));
    expect(new Set(tags).size).toBe(1);
    expect(tags[0]).toMatch(/^"t/);
    expect(await version()).toBe(before + 1);
  });

  test("of a silent host is renewed by maintenance, and another publish is never undone by it", async () => {
    const leases = async () =>
      (
        await plane.ports.sql
          .prepare("SELECT host, timestamp_version, lease_expires_at FROM repository")
          .all()
      ).results;
    plane.advance(20 * 3_600_000);
    const before = await leases();
    await maintain(plane.ports);
    const after = await leases();
    expect(after).not.toEqual(before);
    await maintain(plane.ports);
    expect(await leases()).toEqual(after);
  });
});

describe("when the store fails", () => {
  test("polls of unchanged hosts go on for five minutes, and nobody new is let in", async () => {
    const { host: hostA, token } = await enrolled(plane, "a");
    const known = held(await poll(plane, token));
    plane.advance(5_000);
    plane.fail(new Error("the store is away"));
    try {
      expect((await poll(plane, token, known)).status).toBe(304);
      plane.advance(290_000);
      expect((await poll(plane, token, known)).status).toBe(304);
      const ask = postJson(plane, "/v1/agent/token", tokenRequest(await hostA.assertion()));
      expect((await ask).status).toBe(500);
      plane.advance(10_000);
      expect((await poll(plane, token, known)).status).toBe(500);
    } finally {
      plane.fail(undefined);
    }
    expect((await poll(plane, token, known)).status).toBe(304);
  });
});
