/** What the routes of the catalog promise on every adapter: the verbs, who is touched, and what is refused. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Change } from "#schema/intent.ts";
import {
  type Adapter,
  everything,
  expectProblem,
  firstError,
  type Harness,
  openHarness,
} from "./harness.ts";

const aTime: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
const aText: unknown = expect.any(String);

const host = (role: string, ...addresses: readonly string[]) => ({
  addresses,
  roles: [role],
  labels: {},
});
const proxy = { ingress: [{ from: "lan", port: 443, proto: "tcp" }] };
const photos = { ingress: [{ from: "role:reverse_proxy", port: 2342, proto: "tcp" }] };

/** A reverse proxy for `lan`, photoprism behind it, and a host that no service concerns. */
export async function seedCatalog(h: Harness): Promise<void> {
  const changes = [
    { op: "put", kind: "zone", key: "lan", body: { cidrs: ["192.168.1.0/24", "fd00:1::/64"] } },
    { op: "put", kind: "host", key: "edge1", body: host("reverse_proxy", "192.0.2.1") },
    { op: "put", kind: "host", key: "app1", body: host("photoprism", "192.0.2.2") },
    { op: "put", kind: "host", key: "plain", body: host("client", "192.0.2.3") },
    { op: "put", kind: "service", key: "reverse_proxy", body: proxy },
    { op: "put", kind: "service", key: "photoprism", body: photos },
  ];
  const answer = await h.call("POST", "/v1/commits", {
    body: { message: "seed", source: "catalog", changes },
  });
  expect(answer.status).toBe(201);
}

export function catalogContract(name: string, open: () => Promise<Adapter>): void {
  describe(`the catalog on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await seedCatalog(h);
    });
    afterAll(() => h.close());
    verbs(() => h);
    lists(() => h);
    references(() => h);
    touching(() => h);
    badCatalogs(() => h);
    deletedHosts(() => h);
    views(() => h);
  });
}

const kinds = [
  ["zone", "zones", { cidrs: ["10.1.0.0/16"] }, { cidrs: [] }],
  [
    "service",
    "services",
    { ingress: [] },
    { ingress: [{ from: "any", port: "8000-8010", proto: "udp" }] },
  ],
  ["host", "hosts", { addresses: ["192.0.2.9"] }, { addresses: [] }],
  [
    "overlay",
    "overlays",
    { host: "plain", interfaces: ["tun7"], subnets: ["10.7.0.0/24"], policy: "full-isolation" },
    { host: "plain", interfaces: ["tun7"], subnets: ["10.7.0.0/24"], policy: "same-subnet" },
  ],
] as const;

function verbs(h: () => Harness): void {
  test.each(kinds)(
    "puts, reads, lists and deletes a %s over its own version",
    async (kind, list, one, other) => {
      const path = `/v1/${list}/verbs`;
      const put = (body: unknown, headers = {}) => h().call("PUT", path, { body, headers });
      expectProblem(await h().call("GET", path), 404, "not_found");
      const made = await put(one, { "if-none-match": "*" });
      expect(made).toMatchObject({
        status: 201,
        json: { rows: [{ op: "created", kind, key: "verbs" }] },
      });
      const tag = made.headers.get("etag") ?? "";
      const read = await h().call("GET", path);
      expect(read.headers.get("etag")).toBe(tag);
      expect(read.json).toMatchObject({ kind, key: "verbs", body: one, source: "api" });
      expectProblem(await put(other, { "if-none-match": "*" }), 412, "precondition_failed");
      const before = await everything(h());
      const again = await put(one, { "if-match": tag });
      expect(again).toMatchObject({ status: 200, json: { changed: false } });
      expect(again.headers.get("etag")).toBe(tag);
      expect(await everything(h())).toEqual(before);
      const moved = await put(other, { "if-match": tag });
      expect(moved.status).toBe(200);
      expectProblem(await put(one, { "if-match": tag }), 412, "precondition_failed");
      const items = (await h().call("GET", `/v1/${list}?limit=1000`)).json as {
        readonly items: readonly { readonly key: string; readonly body: unknown }[];
      };
      expect(items.items.find(({ key }) => key === "verbs")?.body).toMatchObject(other);
      const remove = (match: string) =>
        h().call("DELETE", path, { headers: { "if-match": match } });
      expectProblem(await remove(tag), 412, "precondition_failed");
      expect((await remove(moved.headers.get("etag") ?? "")).status).toBe(200);
      expectProblem(await h().call("DELETE", path), 404, "not_found");
    },
  );

  test("lets writers of single rows without If-Match all through, each on a fresh parent", async () => {
    const keys = Array.from({ length: 10 }, (_, i) => `racer${i}`);
    const answers = await Promise.all(keys.map((key) => h().put("zone", key, { cidrs: [] })));
    expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 201));
    const changes = keys.map((key): Change => ({ op: "delete", kind: "zone", key }));
    expect(await h().commit(changes)).toMatchObject({ ok: true });
  });
}

function lists(h: () => Harness): void {
  test("lists rows of every kind with their source, in one order, at one head", async () => {
    const revision = await h().count("SELECT head AS n FROM fleet");
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await h().call("GET", `/v1/rows?limit=2&source=catalog${query}`))
        .json as RowsPage;
      expect(page.revision).toBe(revision);
      seen.push(...page.rows.map((row) => `${row.kind} ${row.key}`));
      cursor = page.next_cursor;
    }
    const hosts = ["host app1", "host edge1", "host plain"];
    expect(seen).toEqual([...hosts, "service photoprism", "service reverse_proxy", "zone lan"]);
    expect((await h().call("GET", "/v1/rows?kind=zone")).json).toEqual({
      revision,
      rows: [
        {
          kind: "zone",
          key: "lan",
          body: { cidrs: ["192.168.1.0/24", "fd00:1::/64"] },
          source: "catalog",
          from_revision: 1,
          updated_at: aTime,
          updated_by: "admin",
          on_behalf_of: null,
        },
      ],
      next_cursor: null,
    });
    expect((await h().call("GET", "/v1/rows?source=nobody")).json).toMatchObject({ rows: [] });
    expectProblem(await h().call("GET", "/v1/rows?kind=zoo"), 400, "bad_request");
    expectProblem(await h().call("GET", "/v1/rows?cursor=x"), 400, "bad_request");
  });

  test("says of each host where it stands, in the list and alone", async () => {
    const status = {
      state: "unenrolled",
      published: { seq: expect.any(Number) as unknown, revision: expect.any(Number) as unknown },
      applied: null,
      last_report_at: null,
      contact: null,
      last_poll_at: null,
      held_lease_expires_at: null,
      lease_expires_at: aTime,
      warnings: [],
    };
    const { items } = (await h().call("GET", "/v1/hosts")).json as {
      readonly items: readonly { readonly key: string; readonly status: unknown }[];
    };
    expect(items.map(({ key }) => key)).toEqual(["app1", "edge1", "plain"]);
    for (const item of items) expect(item.status).toEqual(status);
    expect((await h().call("GET", "/v1/hosts/app1")).json).toMatchObject({ key: "app1", status });
  });
}

interface RowsPage {
  readonly revision: number;
  readonly rows: readonly { readonly kind: string; readonly key: string }[];
  readonly next_cursor: string | null;
}

function references(h: () => Harness): void {
  test.each([
    [
      "a zone",
      "zones/lan",
      { ingress: [{ from: "lan", port: 1, proto: "tcp" }] },
      "ingress/0/from",
    ],
    ["a host", "hosts/plain", { ingress: [], to: ["host:plain"] }, "to/0"],
  ])("refuses to delete %s while a service names it", async (_, row, service, at) => {
    await h().put("service", "a_namer", service);
    const before = await everything(h());
    const answer = await h().call("DELETE", `/v1/${row}`);
    expectProblem(answer, 409, "conflict");
    const { path, code, message, referencers } = firstError(answer);
    expect({ path, code }).toEqual({ path: "", code: "still_referenced" });
    expect(message).toContain("still referenced by services/a_namer");
    const by = { kind: "service", key: "a_namer", path: `/services/a_namer/${at}` };
    expect(referencers).toContainEqual(by);
    expect(await everything(h())).toEqual(before);
    expect((await h().call("DELETE", "/v1/services/a_namer")).status).toBe(200);
  });
}

function touching(h: () => Harness): void {
  const served = async () => {
    const { results } = await h()
      .ports.sql.prepare(
        "SELECT host, seq, bundle_sha256, timestamp_version FROM repository ORDER BY host",
      )
      .all<{ host: string; seq: number }>();
    return new Map(results.map((row) => [row.host, row]));
  };

  test.each([
    [
      "a service",
      "service",
      "photoprism",
      { ingress: [{ ...photos.ingress[0], port: 2343 }] },
      ["app1"],
    ],
    ["a zone that a service reads", "zone", "lan", { cidrs: ["192.168.2.0/24"] }, ["edge1"]],
    [
      "a role's address, for who lets that role in",
      "host",
      "edge1",
      host("reverse_proxy", "192.0.2.11"),
      ["app1"],
    ],
    [
      "a label, for nobody",
      "host",
      "plain",
      { ...host("client", "192.0.2.3"), labels: { os: "deb" } },
      [],
    ],
    ["a zone that nothing reads", "zone", "spare", { cidrs: ["10.0.0.0/8"] }, []],
  ] as const)(
    "signs exactly the hosts concerned by an edit of %s",
    async (_, kind, key, body, concerned) => {
      const before = await served();
      const answer = await h().put(kind, key, body);
      const { hosts } = answer.json as { readonly hosts: readonly { readonly host: string }[] };
      expect(hosts.map((one) => one.host)).toEqual(concerned);
      const expected = [...before].map(([name, row]) =>
        concerned.some((one) => one === name) ? { host: name, seq: row.seq + 1 } : row,
      );
      expect([...(await served()).values()]).toMatchObject(expected);
    },
  );
}

const grant = (over: object): unknown => ({
  ingress: [{ from: "any", port: 80, proto: "tcp", ...over }],
});
const put = (kind: string, key: string, body: unknown): unknown => ({ op: "put", kind, key, body });

const bad: readonly (readonly [string, unknown, string, string])[] = [
  ["port 0", put("service", "bad", grant({ port: 0 })), "/body/ingress/0/port", "schema"],
  ["port 65536", put("service", "bad", grant({ port: 65_536 })), "/body/ingress/0/port", "schema"],
  [
    "a reversed range",
    put("service", "bad", grant({ port: "90-80" })),
    "/body/ingress/0/port",
    "schema",
  ],
  [
    "a port and a macro",
    put("service", "bad", grant({ macro: "ssh" })),
    "/body/ingress/0",
    "schema",
  ],
  [
    "an unknown field",
    put("service", "bad", grant({ form: "lan" })),
    "/body/ingress/0/form",
    "schema",
  ],
  [
    "an unknown macro",
    put("service", "bad", grant({ macro: "shh" })),
    "/body/ingress/0/macro",
    "schema",
  ],
  ["no target at all", put("service", "bad", { ingress: [], to: [] }), "/body/to", "schema"],
  [
    "a zone with host bits",
    put("zone", "bad", { cidrs: ["10.0.0.1/8"] }),
    "/body/cidrs/0",
    "schema",
  ],
  ["a zone named any", put("zone", "any", { cidrs: [] }), "/key", "schema"],
  [
    "a name that does not exist",
    put("service", "bad", grant({ from: "nowhere" })),
    "/body/ingress/0/from",
    "unknown_name",
  ],
  [
    "a target that does not exist",
    put("service", "bad", { ingress: [], to: ["host:nobody"] }),
    "/body/to/0",
    "unknown_target",
  ],
  [
    "a required source that is empty",
    put("service", "bad", grant({ from: "role:bad", required: true })),
    "/body/ingress/0/from",
    "empty_source",
  ],
  [
    "another host's address",
    put("host", "bad", host("x", "192.0.2.3")),
    "/addresses/0",
    "duplicate_address",
  ],
];

function badCatalogs(h: () => Harness): void {
  test.each(bad)(
    "refuses %s, alone and planned, with the path of it; nothing is written",
    async (_, change, path, code) => {
      const before = await everything(h());
      for (const route of ["/v1/plan", "/v1/commits"]) {
        const message = route === "/v1/plan" ? {} : { message: "bad" };
        const answer = await h().call("POST", route, { body: { ...message, changes: [change] } });
        const { errors = [] } = expectProblem(answer, 422, "invalid_intent");
        expect(errors.map((error) => [error.path.endsWith(path), error.code])).toContainEqual([
          true,
          code,
        ]);
      }
      expect(await everything(h())).toEqual(before);
    },
  );

  test("refuses a bare name that is two things until it is written out", async () => {
    const changes = [put("zone", "twin", { cidrs: [] }), put("host", "twin", host("y"))];
    const naming = (from: string) => put("service", "bad", grant({ from }));
    const plan = (from: string) =>
      h().call("POST", "/v1/plan", { body: { changes: [...changes, naming(from)] } });
    const refused = await plan("twin");
    expect(expectProblem(refused, 422, "invalid_intent").errors).toEqual([
      { path: "/changes/2/body/ingress/0/from", code: "ambiguous_name", message: aText },
    ]);
    expect((await plan("zone:twin")).status).toBe(200);
  });

  test("refuses a name of a megabyte without saying it back", async () => {
    const before = await everything(h());
    const long = "k".repeat(1024 * 1024);
    const body = (key: string) => ({ message: "m", changes: [put("zone", key, { cidrs: [] })] });
    expectProblem(
      await h().call("POST", "/v1/commits", { body: body(long) }),
      413,
      "body_too_large",
    );
    const answer = await h().call("POST", "/v1/commits", { body: body(long.slice(500)) });
    expectProblem(answer, 422, "invalid_intent");
    expect(firstError(answer).path).toBe("/changes/0/key");
    expect(answer.text.length).toBeLessThan(1000);
    expectProblem(await h().call("GET", `/v1/zones/${"k".repeat(4000)}`), 404, "not_found");
    expect(await everything(h())).toEqual(before);
  });
}

function deletedHosts(h: () => Harness): void {
  const custom = async (): Promise<unknown> => {
    const text = await h()
      .ports.sql.prepare("SELECT targets FROM repository WHERE host = 'gone'")
      .first("targets");
    const metadata = JSON.parse(String(text)) as {
      readonly signed: {
        readonly targets: { readonly "bundle.json": { readonly custom: unknown } };
      };
    };
    return metadata.signed.targets["bundle.json"].custom;
  };

  test("tells a deleted host to close, once, under its next seq, and enforces again when it comes back", async () => {
    await h().put("host", "gone", host("z"));
    expect(await custom()).toMatchObject({ seq: 1, mode: "enforce" });
    const deleted = await h().call("DELETE", "/v1/hosts/gone");
    expect(deleted).toMatchObject({ status: 200, json: { hosts: [{ host: "gone", seq: 2 }] } });
    expect(await custom()).toMatchObject({ seq: 2, mode: "closed", host: "gone" });
    await h().put("zone", "spare", { cidrs: [] });
    expect(await custom()).toMatchObject({ seq: 2, mode: "closed" });
    await h().put("host", "gone", host("z"));
    expect(await custom()).toMatchObject({ seq: 3, mode: "enforce" });
    await h().call("DELETE", "/v1/hosts/gone");
  });
}

function views(h: () => Harness): void {
  test("shows auditors every version of a service and of a zone", async () => {
    for (const [view, key] of [
      ["services", "photoprism"],
      ["zones", "lan"],
    ] as const) {
      const name = view.slice(0, -1);
      const { results } = await h()
        .ports.sql.prepare(
          `SELECT from_revision, to_revision, "by" FROM ${view} WHERE ${name} = ?1 ORDER BY 1`,
        )
        .bind(key)
        .all();
      const [first, second] = results;
      expect(first).toMatchObject({ from_revision: 1, by: "admin" });
      expect(second).toMatchObject({ from_revision: first?.["to_revision"], to_revision: null });
    }
  });
}
