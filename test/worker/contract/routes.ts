/** What the operator's routes promise on every adapter. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeBundle } from "#schema/bundle.ts";
import { Ruleset } from "#schema/ruleset.ts";
import { access } from "#schema/api/access.ts";
import { badInput } from "./bad-input.ts";
import {
  type Adapter,
  type CallOptions,
  expectProblem,
  type Harness,
  memberChange,
  office,
  openHarness,
} from "./harness.ts";

const aNumber: unknown = expect.any(Number);
const aTime: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);

export function routeContract(name: string, open: () => Promise<Adapter>): void {
  describe(`the routes on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await h.put("host", "gw", {});
      await h.put("overlay", "office", office);
      await h.put("member", "office/alice", { group: "dev", addresses: ["10.8.0.2"] });
    });
    afterAll(() => h.close());
    problems(() => h);
    badInput(() => h);
    rows(() => h);
    claims(() => h);
    commits(() => h);
    reading(() => h);
  });
}

function problems(h: () => Harness): void {
  const cases: readonly (readonly [string, string, string, CallOptions, number, string])[] = [
    ["an unknown route", "GET", "/v1/nothing", {}, 404, "not_found"],
    ["an unknown route to strangers", "GET", "/v1/nothing", { token: null }, 404, "not_found"],
    ["a method that a route does not know", "DELETE", "/v1/commits", {}, 405, "method_not_allowed"],
    ["a host that is not there", "GET", "/v1/hosts/nobody", {}, 404, "not_found"],
    ["a name that cannot be", "GET", "/v1/hosts/a%0Ab", {}, 404, "not_found"],
    ["a body that is not JSON", "POST", "/v1/commits", { text: "{" }, 400, "bad_request"],
    [
      "JSON that says it is text",
      "POST",
      "/v1/commits",
      { text: "{}", headers: { "content-type": "text/plain" } },
      415,
      "unsupported_media_type",
    ],
    ["a body without a type", "PUT", "/v1/hosts/x", {}, 415, "unsupported_media_type"],
    [
      "a body over 1 MiB",
      "POST",
      "/v1/commits",
      { text: `"${"x".repeat(1024 * 1024)}"` },
      413,
      "body_too_large",
    ],
    ["an unknown query", "GET", "/v1/revisions?limt=1", {}, 400, "bad_request"],
    ["a limit out of bounds", "GET", "/v1/revisions?limit=100000", {}, 400, "bad_request"],
    ["a cursor that is none", "GET", "/v1/audit?cursor=x", {}, 400, "bad_request"],
    ["a revision that is none", "GET", "/v1/revisions/12abc", {}, 404, "not_found"],
    ["a revision to come", "GET", "/v1/revisions/900/hosts/gw/ruleset", {}, 404, "not_found"],
    [
      "If-Match beside If-None-Match",
      "PUT",
      "/v1/hosts/x",
      { body: {}, headers: { "if-match": "*", "if-none-match": "*" } },
      400,
      "bad_request",
    ],
  ];
  test.each(cases)(
    "answers %s with a problem: %s %s",
    async (_, method, path, options, status, code) => {
      expect(expectProblem(await h().call(method, path, options), status, code).code).toBe(code);
    },
  );

  test("says which methods a resource knows", async () => {
    const answer = await h().call("DELETE", "/v1/root");
    expect(answer.headers.get("allow")).toBe("GET, PUT");
  });

  test("keeps a caller's request id, and makes one up for anything odd", async () => {
    const sent = await h().call("GET", "/healthz", { headers: { "x-request-id": "abc-1" } });
    expect(sent.headers.get("x-request-id")).toBe("abc-1");
    const odd = await h().call("GET", "/healthz", { headers: { "x-request-id": "a b<script>" } });
    expect(odd.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
}

function rows(h: () => Harness): void {
  test("answers a row with its version as its tag", async () => {
    const answer = await h().call("GET", "/v1/overlays/office/members/alice");
    expect(answer.headers.get("etag")).toBe('"3"');
    expect(answer.json).toEqual({
      kind: "member",
      key: "office/alice",
      body: { group: "dev", addresses: ["10.8.0.2"] },
      revision: 3,
      at: aTime,
      by: "admin",
      on_behalf_of: null,
      source: "api",
    });
  });

  test("answers the same body twice with 200, the same tag and no revision", async () => {
    const head = await h().count("SELECT head AS n FROM fleet");
    const answer = await h().put("member", "office/alice", {
      addresses: ["10.8.0.2"],
      group: "dev",
    });
    expect(answer).toMatchObject({ status: 200, json: { changed: false, revision: head } });
    expect(answer.headers.get("etag")).toBe('"3"');
  });

  test("writes a row only over the version that If-Match names", async () => {
    const path = "/v1/overlays/office/members/dave";
    const put = (group: string, headers: Record<string, string>) =>
      h().call("PUT", path, { body: { group, addresses: ["10.8.0.40"] }, headers });
    expectProblem(await put("dev", { "if-match": "*" }), 412, "precondition_failed");
    const made = await put("dev", { "if-none-match": "*" });
    expect(made.status).toBe(201);
    expectProblem(await put("ops", { "if-none-match": "*" }), 412, "precondition_failed");
    const tag = made.headers.get("etag") ?? "";
    expectProblem(await put("ops", { "if-match": `W/${tag}` }), 412, "precondition_failed");
    expectProblem(await put("ops", { "if-match": '"1"' }), 412, "precondition_failed");
    const moved = await put("ops", { "if-match": `"1", ${tag}` });
    expect(moved.status).toBe(200);
    expectProblem(await put("dev", { "if-match": tag }), 412, "precondition_failed");
    const remove = (match: string) => h().call("DELETE", path, { headers: { "if-match": match } });
    expectProblem(await remove(tag), 412, "precondition_failed");
    expect((await remove(moved.headers.get("etag") ?? "")).status).toBe(200);
    expectProblem(await h().call("GET", path), 404, "not_found");
    expectProblem(await h().call("DELETE", path), 404, "not_found");
  });
}

function claims(h: () => Harness): void {
  test("refuses to delete what others name, and says who they are", async () => {
    const overlayAnswer = await h().call("DELETE", "/v1/overlays/office");
    expect(expectProblem(overlayAnswer, 409, "conflict").errors).toEqual([
      {
        path: "",
        code: "still_referenced",
        message: "still referenced by members/office/alice",
        referencers: [{ kind: "member", key: "office/alice", path: "/members/office/alice" }],
      },
    ]);
    const hostAnswer = await h().call("DELETE", "/v1/hosts/gw");
    expect(expectProblem(hostAnswer, 409, "conflict").errors?.[0]?.message).toContain(
      "overlays/office",
    );
  });

  test("keeps who claimed to ask apart from who asked", async () => {
    const headers = { "portcullis-on-behalf-of": "carol" };
    const answer = await h().call("PUT", "/v1/hosts/claimed?message=for%20carol", {
      body: {},
      headers,
    });
    expect(answer.status).toBe(201);
    const { items } = (await h().call("GET", "/v1/audit?limit=1")).json as {
      readonly items: readonly unknown[];
    };
    expect(items).toMatchObject([
      { actor: "admin", on_behalf_of: "carol", body: { message: "for carol" } },
    ]);
    const forged = { "portcullis-on-behalf-of": "x".repeat(501) };
    expectProblem(
      await h().call("PUT", "/v1/hosts/claimed", { body: {}, headers: forged }),
      400,
      "bad_request",
    );
  });

  test("lists rows by key, page by page", async () => {
    const keys = ["m1", "m2", "m3", "m4", "m5"];
    await h().commit(keys.map((cn, i) => memberChange(`office/${cn}`, "dev", `10.8.0.${100 + i}`)));
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const path: string = `/v1/overlays/office/members?limit=2${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
      const page = (await h().call("GET", path)).json as {
        readonly items: readonly { readonly key: string }[];
        readonly next_cursor: string | null;
      };
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map((item) => item.key));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(["office/alice", ...keys.map((cn) => `office/${cn}`)]);
    expectProblem(await h().call("GET", "/v1/overlays/nowhere/members"), 404, "not_found");
  });
}

function commits(h: () => Harness): void {
  test("commits many rows as one revision and says which hosts changed", async () => {
    const changes = [
      memberChange("office/eve", "dev", "10.8.0.60"),
      memberChange("office/fay", "ops", "10.8.0.61"),
    ];
    const body = { message: "two", on_behalf_of: "carol", source: "gitops", changes };
    const answer = await h().call("POST", "/v1/commits", { body });
    const head = await h().count("SELECT head AS n FROM fleet");
    expect(answer).toMatchObject({
      status: 201,
      json: { revision: head, changed: true, hosts: [{ host: "gw" }], warnings: [] },
    });
    expect((await h().call("GET", `/v1/revisions/${head}`)).json).toMatchObject({
      revision: head,
      parent: head - 1,
      author: "admin",
      on_behalf_of: "carol",
      source: "gitops",
      message: "two",
      changes: [
        { kind: "member", key: "office/eve", before: null, after: { group: "dev" } },
        { kind: "member", key: "office/fay", before: null, after: { group: "ops" } },
      ],
    });
    expect(await h().call("POST", "/v1/commits", { body })).toMatchObject({
      status: 200,
      json: { changed: false },
    });
  });

  test("refuses a commit whose parent is no longer head, even one with nothing new to say", async () => {
    const body = {
      parent: 1,
      message: "late",
      changes: [memberChange("office/alice", "dev", "10.8.0.2")],
    };
    const answer = await h().call("POST", "/v1/commits", { body });
    expect(expectProblem(answer, 412, "stale_parent").detail).toMatch(/^Head is revision \d+\.$/);
  });

  test("deletes an overlay together with its members", async () => {
    const lab = { ...office, subnets: ["10.77.0.0/24"], interfaces: ["tun77"] };
    await h().put("overlay", "lab", lab);
    await h().put("member", "lab/zed", { group: "dev", addresses: ["10.77.0.2"] });
    const changes = [
      { op: "delete", kind: "overlay", key: "lab" },
      { op: "delete", kind: "member", key: "lab/zed" },
    ];
    const answer = await h().call("POST", "/v1/commits", { body: { message: "away", changes } });
    expect(answer).toMatchObject({
      status: 201,
      json: { rows: [{ op: "deleted" }, { op: "deleted" }] },
    });
  });

  test("warns of a group that matches nobody, without refusing", async () => {
    const quiet = { ...office, subnets: ["10.78.0.0/24"], interfaces: ["tun78"], groups: ["none"] };
    const answer = await h().put("overlay", "quiet", quiet);
    expect(answer).toMatchObject({
      status: 201,
      json: { warnings: [{ code: "empty_group", severity: "warning" }] },
    });
  });
}

function reading(h: () => Harness): void {
  test("shows the ruleset of a revision as the very bytes that were published", async () => {
    const head = await h().count("SELECT head AS n FROM fleet");
    const answer = await h().call("GET", `/v1/revisions/${head}/hosts/gw/ruleset`);
    const status = (await h().call("GET", "/v1/hosts/gw/status")).json as {
      readonly published: { readonly bundle_sha256: string; readonly revision: number };
    };
    const published = await h().ports.blobs.get(status.published.bundle_sha256);
    expect(encodeBundle(Ruleset.parse(answer.json))).toEqual(published);
    const earlier = await h().call("GET", "/v1/revisions/1/hosts/gw/ruleset");
    expect(earlier.json).toMatchObject({
      scopes: [{ kind: "host" }],
      rules: [{ verdict: "drop" }],
    });
    expectProblem(await h().call("GET", "/v1/revisions/0/hosts/gw/ruleset"), 404, "not_found");
  });

  test("shows a ruleset as nft text on our own table", async () => {
    const head = await h().count("SELECT head AS n FROM fleet");
    const answer = await h().call("GET", `/v1/revisions/${head}/hosts/gw/ruleset?format=nft`);
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
    expect(answer.text).toContain("table inet portcullis {");
  });

  test("says of a host without an agent that nothing is enforced yet", async () => {
    expect((await h().call("GET", "/v1/hosts/gw/status")).json).toMatchObject({
      host: "gw",
      current: false,
      published: { seq: aNumber },
      enrolled_at: null,
      report: null,
    });
  });

  test("pages through the audit, newest first, without a gap", async () => {
    const total = await h().count("SELECT max(seq) AS n FROM audit");
    const seen: number[] = [];
    let path: string | undefined = "/v1/audit?limit=7";
    while (path !== undefined) {
      const page = (await h().call("GET", path)).json as {
        readonly items: readonly { readonly seq: number }[];
        readonly next_cursor: string | null;
      };
      seen.push(...page.items.map((item) => item.seq));
      path = page.next_cursor === null ? undefined : `/v1/audit?limit=7&cursor=${page.next_cursor}`;
    }
    expect(seen).toEqual(Array.from({ length: total }, (_, i) => total - i));
  });

  test("is healthy without a token", async () => {
    expect(await h().call("GET", "/healthz", { token: null })).toMatchObject({
      status: 200,
      json: { status: "ok" },
    });
  });

  test("documents every route, and who may call it", async () => {
    const document = (await h().call("GET", "/openapi.json", { token: null })).json as {
      readonly openapi: string;
      readonly paths: Record<
        string,
        Record<string, { readonly summary?: string; readonly security?: unknown }>
      >;
    };
    expect(document.openapi).toMatch(/^3\.1/);
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(
        (method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`,
      ),
    );
    expect(documented.sort()).toEqual(Object.keys(access).sort());
    for (const methods of Object.values(document.paths))
      for (const operation of Object.values(methods)) {
        expect(operation.summary).toBeTruthy();
        expect(operation.security).toBeDefined();
      }
  });
}
