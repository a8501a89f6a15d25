/** What every answer has, whatever it is; and what the log and the caller are told when the store fails. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Access, access } from "#schema/api/access.ts";
import { createApp } from "#worker/app.ts";
import type { Ports } from "#worker/ports/index.ts";
import { type Adapter, expectProblem, type Harness, openHarness } from "./harness.ts";
import { pathOf } from "./paths.ts";

const routes = Object.entries(access as Record<string, Access>);

export function answersContract(name: string, open: () => Promise<Adapter>): void {
  describe(`answers on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await h.put("host", "gw", {});
    });
    afterAll(() => h.close());
    afterEach(() => vi.restoreAllMocks());

    test.each(routes)(
      "%s is read as what it says it is, and kept by nobody who was not told to",
      async (route) => {
        const [method = "", pattern = ""] = route.split(" ");
        const body = method === "PUT" || method === "POST" ? { body: { none: 1 } } : {};
        for (const token of [h.admin, null]) {
          const { headers } = await h.call(method, pathOf(pattern), { token, ...body });
          expect(headers.get("x-content-type-options")).toBe("nosniff");
          expect(headers.get("cache-control")).toMatch(/no-store|no-cache/);
        }
      },
    );

    test("a new token is kept by nobody", async () => {
      const body = { name: "new", scopes: ["intent:read"] };
      const { status, headers } = await h.call("POST", "/v1/tokens", { body });
      expect([status, headers.get("cache-control")]).toEqual([201, "no-store"]);
    });

    test("a path that is none is read as what it says it is too", async () => {
      const { headers } = await h.call("GET", "/nothing");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    });

    faults(() => h);
  });
}

const secret = "pc_0123456789abcdef_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq";

function faults(h: () => Harness): void {
  const failing = async (error: Error, path: string) => {
    const logged: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line: string) => void logged.push(line));
    const prepare: Ports["sql"]["prepare"] = () => {
      throw error;
    };
    const app = createApp({ ...h().ports, sql: { ...h().ports.sql, prepare } });
    const headers = { authorization: `Bearer ${h().admin}`, "x-request-id": "an-id" };
    const response = await app.request(path, { headers });
    const text = await response.text();
    const { status } = response;
    return {
      logged,
      answer: { status, headers: response.headers, text, json: JSON.parse(text) as unknown },
    };
  };

  test("a fault is logged with what was asked for and where it happened, and its caller is told the id alone", async () => {
    const cause = new Error("no such table: secrets");
    const error = new Error("Failed query: select\nparams: hunter2", { cause });
    const { logged, answer } = await failing(error, `/v1/hosts/${secret}`);
    expectProblem(answer, 500, "internal");
    expect(answer.text).not.toMatch(/secrets|select|answers\.ts/);
    const [line = "", ...others] = logged;
    expect(others).toEqual([]);
    expect(JSON.parse(line)).toMatchObject({
      request_id: "an-id",
      method: "GET",
      path: "/v1/hosts/pc_…",
      error: "Error: no such table: secrets",
    });
    const { stack } = JSON.parse(line) as { readonly stack: readonly string[] };
    expect(stack.join("\n")).toMatch(/answers\.ts|failing|prepare/);
    expect(line).not.toMatch(/hunter2|ABCDEFGH/);
  });

  test.each([
    ["SQLite's", new Error("D1_ERROR: database or disk is full: SQLITE_FULL")],
    [
      "the file system's",
      Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }),
    ],
    [
      "a quota's",
      new Error("wrapped", { cause: Object.assign(new Error("x"), { code: "EDQUOT" }) }),
    ],
  ])("a full disk by %s own word is said as one, with what to do", async (_, error) => {
    const { logged, answer } = await failing(error, "/v1/hosts/gw");
    expectProblem(answer, 507, "storage_full");
    expect(answer.headers.get("retry-after")).toBe("60");
    expect(logged).toHaveLength(1);
  });

  test("a database that another program holds is busy, and nothing is wrong here", async () => {
    const locked = new Error("D1_ERROR: database is locked: SQLITE_BUSY");
    const { logged, answer } = await failing(locked, "/v1/hosts/gw");
    expectProblem(answer, 503, "busy");
    expect(logged).toHaveLength(1);
  });
}
