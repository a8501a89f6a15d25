/** Every route × every scope × every way to have no credential, from the table of routes. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TokenScope } from "#schema/api/tokens.ts";
import { type Access, access } from "#schema/api/access.ts";
import { createApp } from "#worker/app.ts";
import { type Adapter, type Harness, openHarness } from "./harness.ts";

const day = 86_400_000;
const routes = Object.entries(access as Record<string, Access>);

export function accessContract(name: string, open: () => Promise<Adapter>): void {
  describe(`access on ${name}`, () => {
    let h: Harness;
    const tokens = new Map<string, string>();
    beforeAll(async () => {
      h = await openHarness(open);
      await h.put("host", "gw", {});
      for (const scope of TokenScope.options)
        tokens.set(scope, await mint(h, scope.replace(":", "-"), [scope]));
      tokens.set("revoked", await revoked(h));
      tokens.set("expired", await mint(h, "expired", [...TokenScope.options], 3600));
      h.advance(day);
    });
    afterAll(() => h.close());

    test("has a line in the table for every route that is mounted, and a route for every line", () => {
      const mounted = createApp(h.ports).routes.filter(({ method }) => method !== "ALL");
      const names = new Set(mounted.map(({ method, path }) => `${method} ${path}`));
      expect([...names].sort()).toEqual(routes.map(([route]) => route).sort());
    });

    test.each(routes)("%s answers nobody without a credential that holds", async (route, entry) => {
      const [, id] = tokens.get("intent:read")?.split("_") ?? [];
      const strangers = {
        none: null,
        garbage: "x",
        unknown: `pc_${"0".repeat(16)}_${secret}`,
        admin: `pc_admin_${secret}`,
        guessed: `pc_${id}_${secret}`,
        revoked: tokens.get("revoked") ?? null,
        expired: tokens.get("expired") ?? null,
      };
      for (const [stranger, token] of Object.entries(strangers)) {
        const expected = entry.by === "anyone" ? "through" : 401;
        expect([stranger, await outcome(h, route, token)]).toEqual([stranger, expected]);
      }
    });

    test.each(routes)("%s answers exactly the scope it names", async (route, entry) => {
      for (const scope of TokenScope.options) {
        const reached = await outcome(h, route, tokens.get(scope) ?? null);
        expect([scope, reached]).toEqual([scope, expectation(entry, scope)]);
      }
    });

    tokenRules(() => h);
  });
}

/** The right form, and nobody has it. */
const secret = "A".repeat(43);

function expectation(entry: Access, scope: string): "through" | 401 | 403 {
  switch (entry.by) {
    case "anyone":
      return "through";
    case "host":
      return 401;
    case "token":
    case "token-or-host":
      return entry.scope === null || entry.scope === scope ? "through" : 403;
  }
}

/** How far a request gets: refused, or through to its route. Its body fits no schema, so that it changes nothing. */
async function outcome(
  h: Harness,
  route: string,
  token: string | null,
): Promise<"through" | 401 | 403> {
  const [method = "", pattern = ""] = route.split(" ");
  const values: Readonly<Record<string, string>> = {
    revision: "1",
    version: "1",
    id: "0".repeat(16),
    file: pattern.includes("targets") ? `${"0".repeat(64)}.bundle.json` : "timestamp.json",
  };
  const path = pattern.replace(/:(\w+)/g, (_, name: string) => values[name] ?? "absent");
  const { status } = await h.call(method, path, {
    token,
    ...(method === "PUT" || method === "POST" ? { body: { none: 1 } } : {}),
  });
  return status === 401 || status === 403 ? status : "through";
}

async function mint(
  h: Harness,
  name: string,
  scopes: readonly string[],
  ttlSeconds?: number,
): Promise<string> {
  const body = { name, scopes, ...(ttlSeconds === undefined ? {} : { ttl_seconds: ttlSeconds }) };
  const answer = await h.call("POST", "/v1/tokens", { body });
  expect(answer.status).toBe(201);
  return (answer.json as { readonly token: string }).token;
}

async function revoked(h: Harness): Promise<string> {
  const token = await mint(h, "revoked", TokenScope.options);
  const [, id] = token.split("_");
  expect((await h.call("GET", "/v1/hosts/gw", { token })).status).toBe(200);
  expect((await h.call("DELETE", `/v1/tokens/${id}`)).status).toBe(200);
  return token;
}

function tokenRules(h: () => Harness): void {
  const make = (token: string, body: unknown) => h().call("POST", "/v1/tokens", { token, body });

  test("refuses a token more scopes than its maker has", async () => {
    const maker = await mint(h(), "maker", ["tokens:write", "intent:read"]);
    expect((await make(maker, { name: "child", scopes: ["intent:read"] })).status).toBe(201);
    expect(
      (await make(maker, { name: "thief", scopes: ["intent:read", "intent:write"] })).status,
    ).toBe(403);
  });

  test("refuses a token a longer life than its maker has, and gives it that life by default", async () => {
    const maker = await mint(h(), "mortal", ["tokens:write"], 3600);
    expect(
      (await make(maker, { name: "heir", scopes: ["tokens:write"], ttl_seconds: 7200 })).status,
    ).toBe(403);
    const child = await make(maker, { name: "twin", scopes: ["tokens:write"] });
    const expiry = (child.json as { readonly expires_at: string }).expires_at;
    expect(Date.parse(expiry) - h().ports.clock.now()).toBe(3_600_000);
  });

  test("shows a token once, keeps only its hash, and lists no secret", async () => {
    const token = await mint(h(), "once", ["intent:read"]);
    const list = await h().call("GET", "/v1/tokens?limit=1000");
    expect(list.text).toContain('"once"');
    expect(list.text).not.toContain(token);
    expect(list.text).not.toContain("sha256");
    const rows = await h().ports.sql.prepare("SELECT * FROM token").all();
    const shownOnce = token.slice(token.indexOf("_", 3) + 1);
    expect(JSON.stringify(rows.results)).not.toContain(shownOnce);
    const audit = await h().call("GET", "/v1/audit");
    expect(audit.text).not.toContain(shownOnce);
  });

  test("writes a token's name as the author of what it does", async () => {
    const token = await mint(h(), "writer", ["intent:write"]);
    await h().call("PUT", "/v1/hosts/written", { token, body: {} });
    expect((await h().call("GET", "/v1/hosts/written")).json).toMatchObject({ by: "token:writer" });
  });
}
