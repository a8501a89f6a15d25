/** What a plan and a commit with a key promise on every adapter. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Blobs } from "#worker/ports/index.ts";
import { createApp } from "#worker/app.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { seedCatalog } from "./catalog.ts";
import { type Adapter, everything, expectProblem, type Harness, openHarness } from "./harness.ts";

const nobodyHeld = { staged: [], pinned: [], waiting: [] };

export function planContract(name: string, open: () => Promise<Adapter>): void {
  describe(`plans on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await seedCatalog(h);
    });
    afterAll(() => h.close());
    planning(() => h);
    warning(() => h);
    refusing(() => h);
    once(() => h);
    keys(() => h);
  });
}

const wider = {
  op: "put",
  kind: "zone",
  key: "lan",
  body: { cidrs: ["192.168.1.0/24", "192.168.7.0/24"] },
};
const photos = {
  op: "put",
  kind: "service",
  key: "photoprism",
  body: { ingress: [{ from: "lan", port: 2342, proto: "tcp" }] },
};
const plan = (h: Harness, body: unknown) => h.call("POST", "/v1/plan", { body });

interface Planned {
  readonly revision: number;
  readonly hosts: readonly {
    readonly host: string;
    readonly after: { readonly bundle_sha256: string };
  }[];
}

const size = (rules: number, elements: number) => ({
  bundle_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
  rules,
  elements,
});
const line = (text: string): unknown => expect.stringMatching(text);

/** New flows to the host, from these addresses. */
const passing = (
  service: string,
  what: string,
  name: string | null,
  addresses: readonly string[],
) => ({
  scope: "host",
  direction: "in",
  what,
  from: { name, addresses, more: false },
  to: { name: "any", addresses: [], more: false },
  until: null,
  row: line(`^services/${service}#`),
});

/** What `photos` and `wider` mean for each host. */
const expectedHosts = [
  {
    host: "app1",
    before: size(2, 1),
    after: size(2, 2),
    opens: [passing("photoprism", "tcp 2342", "zone lan", ["192.168.1.0/24", "192.168.7.0/24"])],
    closes: [passing("photoprism", "tcp 2342", "role reverse_proxy", ["192.0.2.1"])],
    more: false,
    scopes: { added: [], removed: [] },
    other: [],
    rules: {
      added: [line("^accept tcp 2342 in from zone lan \\(services/photoprism#[0-9a-f]{12}\\)$")],
      removed: [line("^accept tcp 2342 in from role reverse_proxy \\(services/photoprism#")],
    },
    sets: [
      {
        name: "role reverse_proxy",
        added: [],
        removed: ["192.0.2.1"],
        added_count: 0,
        removed_count: 1,
      },
      {
        name: "zone lan",
        added: ["192.168.1.0/24", "192.168.7.0/24"],
        removed: [],
        added_count: 2,
        removed_count: 0,
      },
    ],
  },
  {
    host: "edge1",
    before: size(2, 2),
    after: size(2, 2),
    opens: [passing("reverse_proxy", "tcp 443", null, ["192.168.7.0/24"])],
    closes: [passing("reverse_proxy", "tcp 443", null, ["fd00:1::/64"])],
    more: false,
    scopes: { added: [], removed: [] },
    other: [],
    rules: { added: [], removed: [] },
    sets: [
      {
        name: "zone lan",
        added: ["192.168.7.0/24"],
        removed: ["fd00:1::/64"],
        added_count: 1,
        removed_count: 1,
      },
    ],
  },
];

const update = { op: "update", source_before: "catalog" };
const expectedChanges = [
  {
    ...update,
    kind: "service",
    key: "photoprism",
    before: { ingress: [{ from: "role:reverse_proxy", port: 2342, proto: "tcp" }] },
    after: photos.body,
  },
  {
    ...update,
    kind: "zone",
    key: "lan",
    before: { cidrs: ["192.168.1.0/24", "fd00:1::/64"] },
    after: wider.body,
  },
];

function warning(h: () => Harness): void {
  test("warns of a grant whose end is past, and of none that is to come", async () => {
    const now = h().ports.clock.now();
    const iso = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
    const ending = (expires_at: string) => ({ from: "lan", port: 8443, proto: "tcp", expires_at });
    const ingress = [
      ...photos.body.ingress,
      ending(iso(now - 60_000)),
      ending(iso(now + 3_600_000)),
    ];
    const changes = [wider, { ...photos, body: { ingress } }];
    const at = photos.body.ingress.length;
    const expected = [
      expect.objectContaining({
        code: "already_expired",
        path: `/changes/1/body/ingress/${at}/expires_at`,
      }),
    ];
    const planned = (await plan(h(), { changes })).json as { readonly warnings: readonly object[] };
    expect(planned.warnings).toEqual(expected);
  });
}

function planning(h: () => Harness): void {
  test("says row by row and host by host what would change, in words", async () => {
    const answer = await plan(h(), { changes: [photos, wider] });
    expect(answer.json).toEqual({
      revision: 1,
      changes: expectedChanges,
      hosts: expectedHosts,
      ...nobodyHeld,
      behind: [],
      names: { "192.0.2.1": "host edge1" },
      warnings: [],
    });
  });

  test("writes nothing, not even a blob", async () => {
    const before = await everything(h());
    const puts: string[] = [];
    const blobs: Blobs = {
      ...h().ports.blobs,
      put: async (sha256) => void puts.push(sha256),
    };
    const app = createApp({ ...h().ports, blobs });
    const headers = { authorization: `Bearer ${h().admin}`, "content-type": "application/json" };
    const body = JSON.stringify({ changes: [photos, wider] });
    expect((await app.request("/v1/plan", { method: "POST", headers, body })).status).toBe(200);
    expect(puts).toEqual([]);
    expect(await everything(h())).toEqual(before);
  });

  test("means what the commit then does: the same hosts and the same bytes", async () => {
    const changes = [
      photos,
      { op: "put", kind: "host", key: "new1", body: { roles: ["photoprism"] } },
    ];
    const planned = (await plan(h(), { parent: 1, changes })).json as Planned;
    const answer = await h().call("POST", "/v1/commits", {
      body: { message: "m", parent: 1, changes },
    });
    const made = answer.json as { readonly hosts: readonly object[] };
    const digests = planned.hosts.map(({ host, after }) => ({
      host,
      bundle_sha256: after.bundle_sha256,
    }));
    expect(digests.map(({ host }) => host)).toEqual(["app1", "new1"]);
    expect(made.hosts).toEqual(digests.map((digest) => expect.objectContaining(digest) as unknown));
    expect(planned.hosts.find(({ host }) => host === "new1")).toMatchObject({ before: null });
  });

  test("says of what changes nothing that it changes nothing, and takes no changes at all", async () => {
    const nothing = {
      revision: 2,
      changes: [],
      hosts: [],
      ...nobodyHeld,
      behind: [],
      names: {},
      warnings: [],
    };
    expect((await plan(h(), { changes: [photos] })).json).toEqual(nothing);
    expect((await plan(h(), { source: "catalog", changes: [] })).json).toEqual(nothing);
  });

  test("touches no host for what only people read", async () => {
    const [first] = photos.body.ingress;
    const said = { ...photos, body: { ingress: [{ ...first, reason: "family pictures" }] } };
    const answer = await plan(h(), { changes: [said] });
    expect(answer.json).toMatchObject({ changes: [{ key: "photoprism" }], hosts: [] });
  });

  test("shows a host that goes as one without rules", async () => {
    const answer = await plan(h(), { changes: [{ op: "delete", kind: "host", key: "plain" }] });
    expect(answer.json).toMatchObject({
      hosts: [{ host: "plain", before: { rules: 1 }, after: null, rules: { added: [] } }],
    });
  });
}

function refusing(h: () => Harness): void {
  test("refuses a parent that is no longer head", async () => {
    const answer = await plan(h(), { parent: 1, changes: [] });
    expect(expectProblem(answer, 412, "stale_parent").detail).toBe("Head is revision 2.");
  });

  test("names who stands in the way of a deletion, unless they go too or point elsewhere", async () => {
    const remove = (kind: string, key: string) => ({ op: "delete", kind, key });
    const alone = await plan(h(), { changes: [remove("zone", "lan")] });
    expect(expectProblem(alone, 409, "conflict").errors).toMatchObject([
      {
        path: "/changes/0/key",
        code: "still_referenced",
        referencers: [
          { kind: "service", key: "photoprism", path: "/services/photoprism/ingress/0/from" },
          { kind: "service", key: "reverse_proxy", path: "/services/reverse_proxy/ingress/0/from" },
        ],
      },
    ]);
    const elsewhere = { ...photos, body: { ingress: [{ from: "any", port: 2342, proto: "tcp" }] } };
    const together = [remove("zone", "lan"), remove("service", "reverse_proxy"), elsewhere];
    expect(await plan(h(), { changes: together })).toMatchObject({ status: 200 });
  });
}

const zone = (key: string) => ({ op: "put", kind: "zone", key, body: { cidrs: [] } });
const send = (h: Harness, key: string, body: unknown, token = h.admin) =>
  h.call("POST", "/v1/commits", { body, headers: { "idempotency-key": key }, token });

function once(h: () => Harness): void {
  test("makes a commit with a key once, and gives the first answer again, whatever came after", async () => {
    const head = await h().count("SELECT head AS n FROM fleet");
    const body = { message: "m", parent: head, changes: [zone("once")] };
    const first = await send(h(), "key-1", body);
    expect(first).toMatchObject({ status: 201, json: { revision: head + 1 } });
    await h().call("DELETE", "/v1/zones/once");
    const before = await everything(h());
    const again = await send(h(), "key-1", { changes: body.changes, parent: head, message: "m" });
    expect({ status: again.status, text: again.text }).toEqual({ status: 201, text: first.text });
    expect(again.headers.get("content-type")).toMatch(/^application\/json/);
    expect(await everything(h())).toEqual(before);
  });

  test("remembers also that there was nothing to do", async () => {
    const body = {
      message: "m",
      changes: [
        { op: "put", kind: "zone", key: "lan", body: { cidrs: ["192.168.1.0/24", "fd00:1::/64"] } },
      ],
    };
    const first = await send(h(), "key-2", body);
    expect(first).toMatchObject({ status: 200, json: { changed: false } });
    await h().put("zone", "lan", { cidrs: ["192.168.1.0/24"] });
    expect((await send(h(), "key-2", body)).text).toBe(first.text);
  });

  test("makes one commit of twenty at once with one key", async () => {
    const head = await h().count("SELECT head AS n FROM fleet");
    const body = { message: "m", changes: [zone("burst")] };
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(h(), "key-3", body)));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(await h().count("SELECT head AS n FROM fleet")).toBe(head + 1);
  });

  test("keeps no answer that is too large: the same request again is told where what it did can be read", async () => {
    const changes = Array.from({ length: 4500 }, (_, i) => zone(`large${i}`));
    const body = { message: "large", changes };
    const first = await send(h(), "key-large", body);
    expect([first.status, first.text.length > 256 * 1024]).toEqual([201, true]);
    const before = await everything(h());
    const again = await send(h(), "key-large", body);
    const { revision } = first.json as { readonly revision: number };
    expect(expectProblem(again, 409, "answer_not_kept").detail).toContain(
      `/v1/revisions/${revision}`,
    );
    const see = again.headers.get("location") ?? "";
    expect((await h().call("GET", see)).json).toMatchObject({ revision, message: "large" });
    expect(await everything(h())).toEqual(before);
    const { results } = await h()
      .ports.sql.prepare("SELECT response, kept FROM idempotency WHERE key = 'key-large'")
      .all<{ readonly response: string; readonly kept: number }>();
    const [row] = results;
    const sha256 = await hashSha256(first.text);
    expect([row?.kept, JSON.parse(row?.response ?? "")]).toEqual([
      0,
      { sha256, bytes: first.text.length, see },
    ]);
  });

  test("refuses a key for another request, and lets each caller have their own", async () => {
    const answer = await send(h(), "key-1", { message: "other", changes: [zone("other")] });
    expectProblem(answer, 409, "conflict");
    const made = await h().call("POST", "/v1/tokens", {
      body: { name: "ci", scopes: ["intent:write"] },
    });
    const { token } = made.json as { readonly token: string };
    const other = await send(h(), "key-1", { message: "other", changes: [zone("other")] }, token);
    expect(other.status).toBe(201);
  });

  test("forgets a refusal, so that the request may be tried again", async () => {
    const body = {
      message: "m",
      changes: [{ ...photos, body: { ingress: [{ from: "later", port: 1, proto: "tcp" }] } }],
    };
    expectProblem(await send(h(), "key-4", body), 422, "invalid_intent");
    await h().put("zone", "later", { cidrs: [] });
    expect((await send(h(), "key-4", body)).status).toBe(201);
  });
}

function keys(h: () => Harness): void {
  test.each([
    ["empty", ""],
    ["of 129 characters", "x".repeat(129)],
    ["with a character that is not printable", "a\tb"],
  ])("refuses a key that is %s", async (_, key) => {
    const answer = await send(h(), key, { message: "m", changes: [zone("bad")] });
    const problem = expectProblem(answer, 400, "bad_request");
    expect(problem.errors).toMatchObject([{ path: "/headers/Idempotency-Key" }]);
  });

  test("forgets a key after a day, and maintenance its row", async () => {
    h().advance(86_400_001);
    const again = await send(h(), "key-1", { message: "a day later", changes: [zone("once")] });
    expect(again.status).toBe(201);
    await maintain(h().ports);
    expect(await h().count("SELECT count(*) AS n FROM idempotency")).toBe(1);
  });
}
