import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { headers } from "#schema/wire.ts";
import {
  enrolled,
  enrolment,
  newHost,
  poll,
  postJson,
  tokenOf,
  tokenRequest,
} from "#test/support/host.ts";
import { host, installRoot, openPlane, overlay, type Plane } from "#test/support/plane.ts";
import { type Access, access } from "#schema/api/access.ts";
import { verifyAudit } from "#worker/audit/verify.ts";

let plane: Plane;
let rootSha256: string;
/** What an enrolment was answered before the first root. */
let rootless: number;
beforeAll(async () => {
  plane = await openPlane();
  await plane.commit(host("a"), host("b"), host("c"));
  rootless = (await plane.operator("POST", "/v1/enrolments", { host: "a" })).status;
  await installRoot(plane);
  rootSha256 = (await enrolment(plane, "c")).root_sha256;
});
afterAll(() => plane.close());

const enrol = (body: unknown): Promise<Response> => postJson(plane, "/v1/agent/enrol", body);
const rows = async (sql: string): Promise<unknown> =>
  (await plane.ports.sql.prepare(sql).all()).results;

describe("an enrolment token", () => {
  test("is made under a root and for a declared host only, and only its hash is stored", async () => {
    expect(rootless).toBe(503);
    expect((await plane.operator("POST", "/v1/enrolments", { host: "nobody" })).status).toBe(404);
    const { token } = await enrolment(plane, "a");
    expect(token).toMatch(/^pce_[A-Za-z0-9_-]{43}$/);
    expect(JSON.stringify(await rows("SELECT * FROM enrolment"))).not.toContain(token.slice(4));
    expect(JSON.stringify(await rows("SELECT * FROM audit"))).not.toContain(token.slice(4));
  });

  test("enrols exactly one of fifty that use it at once, and the audit chain holds", async () => {
    const { token } = await enrolment(plane, "a");
    const hosts = Array.from({ length: 50 }, () => newHost(plane, "a"));
    const responses = await Promise.all(
      hosts.map((one) => enrol(one.enrolRequest(token, rootSha256))),
    );
    const statuses = responses.map((response) => response.status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(49);
    const winner = hosts[statuses.indexOf(201)];
    if (winner === undefined) throw new Error("nobody won");
    await tokenOf(plane, winner);
    expect(await rows("SELECT count(*) AS n FROM audit WHERE action = 'host.enrol'")).toEqual([
      { n: 1 },
    ]);
    expect(await verifyAudit(plane.ports.sql)).toMatchObject({ ok: true });
  });

  test("is refused when it is over, unknown, or the key is not proven, and stays unused", async () => {
    const { token } = await enrolment(plane, "b");
    const one = newHost(plane, "b");
    const request = one.enrolRequest(token, rootSha256);
    const stranger = newHost(plane, "b").enrolRequest(token, rootSha256);
    expect((await enrol({ ...request, proof: stranger.proof })).status).toBe(401);
    expect((await enrol(one.enrolRequest(`pce_${"A".repeat(43)}`, rootSha256))).status).toBe(401);
    expect((await enrol(one.enrolRequest(token, "0".repeat(64)))).status).toBe(409);
    const identity = `AQ${"A".repeat(41)}`;
    const weak = { ...request, public_key: identity, proof: `AQ${"A".repeat(84)}` };
    expect((await enrol(weak)).status).toBe(401);
    expect((await enrol({ ...request, host: "a" })).status).toBe(400);
    plane.advance(901_000);
    expect((await enrol(request)).status).toBe(401);
    expect(await rows("SELECT host FROM identity WHERE host = 'b'")).toEqual([]);
    expect(await rows("SELECT count(*) AS n FROM enrolment WHERE used_at IS NOT NULL")).toEqual([
      { n: 1 },
    ]);
  });

  test("opens no other route", async () => {
    const { token } = await enrolment(plane, "a");
    expect((await poll(plane, token)).status).toBe(401);
    const response = await plane.request("/v1/audit", {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(401);
  });
});

describe("a client assertion", () => {
  const ask = (assertion: string): Promise<Response> =>
    postJson(plane, "/v1/agent/token", tokenRequest(assertion));

  test("buys one token, in JSON or as a form", async () => {
    const { host: a } = await enrolled(plane, "a");
    const assertion = await a.assertion();
    const form = new URLSearchParams(tokenRequest(assertion));
    expect((await plane.request("/v1/agent/token", { method: "POST", body: form })).status).toBe(
      200,
    );
    expect((await ask(assertion)).status).toBe(401);
  });

  test("is read from nothing but JSON or a form", async () => {
    const post = (type: string, body: string) =>
      plane.request("/v1/agent/token", { method: "POST", headers: { "content-type": type }, body });
    expect((await post("application/json", "{")).status).toBe(400);
    expect((await post("application/json", "{}")).status).toBe(400);
    expect((await post("application/x-www-form-urlencoded", "grant_type=password")).status).toBe(
      400,
    );
    const twice = new URLSearchParams(tokenRequest(await newHost(plane, "a").assertion()));
    twice.append("client_assertion", "x");
    expect((await post("application/x-www-form-urlencoded", String(twice))).status).toBe(400);
    expect((await post("text/plain", "{}")).status).toBe(415);
  });

  test("buys one token when it is used by twenty at once", async () => {
    const { host: a } = await enrolled(plane, "a");
    const assertion = await a.assertion();
    const statuses = (await Promise.all(Array.from({ length: 20 }, () => ask(assertion)))).map(
      (r) => r.status,
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  });

  test("is refused for every fault, with the same body", async () => {
    const { host: a } = await enrolled(plane, "a");
    const now = Math.floor(plane.ports.clock.now() / 1000);
    const secret = new SignJWT({ iss: "a", sub: "a", aud: "portcullis:f1:token", jti: "12345678" })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuedAt(now)
      .setExpirationTime(now + 60)
      .sign(await plane.ports.signer.tokenSecret());
    const faults = [
      await a.assertion({ iss: "b" }),
      await a.assertion({ sub: "b" }),
      await a.assertion({ aud: "portcullis:f2:token" }),
      await a.assertion({ exp: now - 120 }),
      await a.assertion({ exp: now + 3600 }),
      await a.assertion({ iat: now - 600 }),
      await a.assertion({ iat: now + 600, exp: now + 660 }),
      await a.assertion({ jti: "" }),
      await newHost(plane, "a").assertion(),
      await newHost(plane, "nobody").assertion(),
      await secret,
      "a.b.c",
      "",
    ];
    const bodies = new Set<string>();
    for (const fault of faults) {
      const response = await ask(fault);
      expect(response.status).toBe(401);
      const { request_id: _, ...body } = (await response.json()) as Record<string, unknown>;
      bodies.add(JSON.stringify(body));
    }
    expect([...bodies]).toHaveLength(1);
  });
});

describe("a host's token", () => {
  test("works at once after enrolment, whatever the isolate remembers", async () => {
    const other = await enrolled(plane, "a");
    expect((await poll(plane, other.token)).status).toBe(200);
    expect((await poll(plane, (await enrolled(plane, "b")).token)).status).toBe(200);
  });

  test("dies within 5 s when the host enrols again, and the new one lives", async () => {
    const old = await enrolled(plane, "a");
    expect((await poll(plane, old.token)).status).toBe(200);
    const next = await enrolled(plane, "a");
    plane.advance(5_000);
    expect((await poll(plane, old.token)).status).toBe(401);
    expect((await poll(plane, next.token)).status).toBe(200);
  });

  test("dies within 5 s when the host's key is revoked in another process", async () => {
    const { host: b, token } = await enrolled(plane, "b");
    const known = await poll(plane, token);
    const { sql } = plane.ports;
    await sql.batch([
      sql.prepare("UPDATE fleet SET generation = generation + 1"),
      sql.prepare(
        "UPDATE identity SET revoked_at = 1, generation = (SELECT generation FROM fleet) WHERE host = 'b'",
      ),
    ]);
    plane.advance(5_000);
    const held = {
      "if-none-match": known.headers.get("etag") ?? "",
      generation: known.headers.get(headers.generation) ?? "",
    };
    expect((await poll(plane, token, held)).status).toBe(401);
    const again = await postJson(plane, "/v1/agent/token", tokenRequest(await b.assertion()));
    expect(again.status).toBe(401);
  });

  test("dies with its key also after the clock was set back: what was read in the future is not fresh", async () => {
    const { token } = await enrolled(plane, "b");
    expect((await poll(plane, token)).status).toBe(200);
    const { sql } = plane.ports;
    await sql.batch([
      sql.prepare("UPDATE fleet SET generation = generation + 1"),
      sql.prepare(
        "UPDATE identity SET revoked_at = 1, generation = (SELECT generation FROM fleet) WHERE host = 'b'",
      ),
    ]);
    plane.advance(-3_600_000);
    expect((await poll(plane, token)).status).toBe(401);
    plane.advance(3_600_000);
  });

  test("dies with the revocation by an operator, in this process at once", async () => {
    const { token } = await enrolled(plane, "b");
    expect((await poll(plane, token)).status).toBe(200);
    expect((await plane.operator("DELETE", "/v1/hosts/b/identity")).status).toBe(204);
    expect((await poll(plane, token)).status).toBe(401);
    expect((await plane.operator("DELETE", "/v1/hosts/nobody/identity")).status).toBe(404);
  });

  test("dies after 24 hours, and is refused when another secret signed it", async () => {
    const { token } = await enrolled(plane, "a");
    plane.advance(86_399_000);
    expect((await poll(plane, token)).status).toBe(200);
    plane.advance(2_000);
    expect((await poll(plane, token)).status).toBe(401);
    const [head = "", body = ""] = (await enrolled(plane, "a")).token.split(".");
    const { privateKey } = generateKeyPairSync("ed25519");
    const forged = await new SignJWT({ enr: "x", gen: 0 })
      .setProtectedHeader({ alg: "EdDSA" })
      .sign(privateKey);
    expect((await poll(plane, forged)).status).toBe(401);
    expect((await poll(plane, `${head}.${body}.`)).status).toBe(401);
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    expect((await poll(plane, `${none}.${body}.`)).status).toBe(401);
  });
});

describe("a host and another host's things", () => {
  test("every route that names a host answers another's token as if nothing were there", async () => {
    const table: Readonly<Record<string, Access>> = access;
    const named = Object.keys(table).filter(
      (name) => table[name]?.by.includes("host") && name.includes(":host"),
    );
    expect(named).toEqual([
      "GET /v1/hosts/:host/repo/metadata/:file",
      "GET /v1/hosts/:host/repo/targets/:file",
    ]);
    await plane.commit(overlay("vpn", "b"));
    const a = (await enrolled(plane, "a")).token;
    const [b] = (
      await plane.ports.sql
        .prepare("SELECT seq, snapshot_version, bundle_sha256 FROM repository WHERE host = 'b'")
        .all<{ seq: number; snapshot_version: number; bundle_sha256: string }>()
    ).results;
    if (b === undefined) throw new Error("b has no repository");
    const files = [
      "metadata/timestamp.json",
      `metadata/${b.snapshot_version}.snapshot.json`,
      `metadata/${b.seq}.targets.json`,
      "metadata/1.root.json",
      `targets/${b.bundle_sha256}.bundle.json`,
    ];
    const get = (path: string, token: string) =>
      plane.request(path, { headers: { authorization: `Bearer ${token}` } });
    const bodies = new Set<string>();
    for (const name of ["b", "nobody"])
      for (const file of files) {
        const response = await get(`/v1/hosts/${name}/repo/${file}`, a);
        expect(response.status).toBe(404);
        const { request_id: _, ...body } = (await response.json()) as Record<string, unknown>;
        bodies.add(JSON.stringify(body));
      }
    expect([...bodies]).toHaveLength(1);
    const own = (await enrolled(plane, "b")).token;
    for (const file of files) {
      expect((await get(`/v1/hosts/b/repo/${file}`, own)).status).toBe(200);
      expect((await plane.operator("GET", `/v1/hosts/b/repo/${file}`)).status).toBe(200);
      expect((await plane.request(`/v1/hosts/b/repo/${file}`)).status).toBe(401);
    }
  });

  test("a host's token opens no operator's route", async () => {
    const { token } = await enrolled(plane, "a");
    for (const path of ["/v1/hosts/a/status", "/v1/audit", "/v1/root/keys", "/v1/tokens"]) {
      const response = await plane.request(path, { headers: { authorization: `Bearer ${token}` } });
      expect(response.status).toBe(401);
    }
  });
});

describe("a report", () => {
  const report = (n: number, over: object = {}) => ({
    n,
    at: "2026-11-20T10:00:00Z",
    boot_id: "b",
    agent_version: "0.1.0",
    renderer: "nft",
    state: "steady",
    applied: null,
    seen: { root: 1, timestamp: 1, targets: 1 },
    guard_sha256: null,
    refusal: null,
    counters: [{ name: "c_egress", packets: 1, bytes: 84 }],
    ...over,
  });
  const send = (token: string, body: unknown) => postJson(plane, "/v1/agent/report", body, token);

  test("is stored once by its number, for the host that the credential names", async () => {
    const { token } = await enrolled(plane, "a");
    expect(await (await send(token, report(1))).json()).toEqual({ n: 1 });
    expect(await (await send(token, report(3))).json()).toEqual({ n: 3 });
    const before = await rows("SELECT * FROM report");
    expect(await (await send(token, report(3, { boot_id: "other" }))).json()).toEqual({ n: 3 });
    expect(await (await send(token, report(2))).json()).toEqual({ n: 3 });
    expect(await rows("SELECT * FROM report")).toEqual(before);
    expect(
      await rows("SELECT host, number AS n, body ->> '$.counters[0].packets' AS p FROM report"),
    ).toEqual([
      { host: "a", n: 1, p: 1 },
      { host: "a", n: 3, p: 1 },
    ]);
  });

  test("is answered with when to report next while a rollout decides on its host, where the agent chains", async () => {
    const { token } = await enrolled(plane, "b");
    const grant = { ingress: [{ from: "any", port: 443, proto: "tcp" }], to: ["host:b"] };
    const changes = [{ op: "put", kind: "service", key: "web", body: grant }];
    const staged = { message: "m", release: "staged", changes };
    expect((await plane.operator("POST", "/v1/commits", staged)).status).toBe(201);
    const rollout = {
      strategy: { kind: "all" },
      gates: { bake_seconds: 600 },
      note: "m",
      hosts: ["b"],
    };
    expect((await plane.operator("POST", "/v1/rollouts", rollout)).status).toBe(201);
    expect(await (await send(token, report(1))).json()).toEqual({ n: 1 });
    expect(await (await send(token, report(2, { prev: null }))).json()).toEqual({
      n: 2,
      next_s: 150,
    });
  });

  test("is refused without a credential, of another shape, or above 256 KiB", async () => {
    const { token } = await enrolled(plane, "a");
    expect((await postJson(plane, "/v1/agent/report", report(9))).status).toBe(401);
    expect((await send(token, report(9, { host: "b" }))).status).toBe(400);
    const counters = Array.from({ length: 20_000 }, () => ({
      name: "c_egress",
      packets: 1,
      bytes: 84,
    }));
    expect((await send(token, report(9, { counters }))).status).toBe(413);
    expect(await rows("SELECT max(number) AS n FROM report")).toEqual([{ n: 3 }]);
  });
});
