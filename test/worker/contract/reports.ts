/** What the control plane makes of hosts' reports on every adapter: whose guard refuses a commit, and who is silent. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Guard } from "#schema/guard.ts";
import { Report } from "#schema/wire.ts";
import { storeReport } from "#worker/reports/rows.ts";
import { seedCatalog } from "./catalog.ts";
import { openSightings } from "#worker/hosts/sightings.ts";
import { enrolHost, hostToken } from "./enrolled.ts";
import {
  type Adapter,
  type Answer,
  everything,
  expectProblem,
  type Harness,
  openHarness,
} from "./harness.ts";
import { speakerOf } from "#test/support/speaker.ts";

export function reportContract(name: string, open: () => Promise<Adapter>): void {
  describe(`reports on ${name}`, () => {
    let h: Harness;
    let n = 0;
    const report = async (host: string, over: object = {}): Promise<void> => {
      n += 1;
      await storeReport(
        h.ports.sql,
        await speakerOf(h.ports.sql, host),
        reportOf(n, over),
        h.ports.clock.now(),
      );
    };
    beforeAll(async () => {
      h = await openHarness(open);
      await seedCatalog(h);
    });
    afterAll(() => h.close());
    const send: Send = (path, body) =>
      h.call("POST", `/v1/${path}`, { body: path === "plan" ? body : { message: "m", ...body } });
    guards(() => h, report, send);
    blame(report, send);
    allowances(() => h, send);
    silence(() => h, report);
    sightings(() => h);
    listening(() => h, report);
    addresses(() => h, report);
  });
}

type Tell = (host: string, over?: object) => Promise<void>;

export const reportOf = (n: number, over: object): Report =>
  Report.parse({
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
    counters: [],
    ...over,
  });

const guard = (over: object = {}): Guard =>
  Guard.parse({ management: { interfaces: ["wg0"] }, ...over });
const service = (key: string, port: number | string, from = "any") => ({
  op: "put",
  kind: "service",
  key,
  body: { ingress: [{ from, port, proto: "tcp" }] },
});
const ssh = service("photoprism", 22);

type Send = (path: "plan" | "commits", body: object) => Promise<Answer>;

function guards(h: () => Harness, report: Tell, send: Send): void {
  test("publish nothing that a host's reported guard refuses, and name host, row and line of the guard", async () => {
    await report("app1", { guard: guard() });
    const before = await everything(h());
    for (const path of ["plan", "commits"] as const) {
      const { errors = [] } = expectProblem(
        await send(path, { changes: [ssh] }),
        422,
        "invalid_intent",
      );
      expect(errors).toMatchObject([{ path: "/changes/0/body", code: "guard_refused" }]);
      expect(errors[0]?.message).toMatch(
        /^the guard of app1 \(never_accept_from_any\) refuses row services\/photoprism#[0-9a-f]{12}: .*tcp 22 /,
      );
    }
    expect(await everything(h())).toEqual(before);
  });

  test("count as they were reported last, and not at all where none was", async () => {
    expect(await send("plan", { changes: [service("reverse_proxy", 22)] })).toMatchObject({
      status: 200,
    });
    await report("app1", { guard: guard({ never_accept_from_any: [] }) });
    expect(await send("plan", { changes: [ssh] })).toMatchObject({
      status: 200,
      json: { warnings: [] },
    });
    await report("app1", { guard: guard() });
    expect(await send("plan", { changes: [ssh] })).toMatchObject({ status: 422 });
  });

  const wider = service("photoprism", 80, "lan");
  const twice = {
    ...wider,
    body: { ingress: [...wider.body.ingress, { from: "any", port: 81, proto: "tcp" }] },
  };
  test.each([
    ["limits.max_rules", { limits: { max_rules: 2 } }, "/hosts/app1", twice],
    ["limits.max_elements", { limits: { max_elements: 3 } }, "/hosts/app1", twice],
    [
      "limits.max_any_accept",
      { limits: { max_any_accept: 0 } },
      "/changes/0/body",
      service("photoprism", 80),
    ],
  ])("refuse by %s", async (line, over, path, change) => {
    await report("app1", { guard: guard(over) });
    const { errors = [] } = expectProblem(
      await send("plan", { changes: [change] }),
      422,
      "invalid_intent",
    );
    expect(errors).toMatchObject([
      { path, code: "guard_refused", message: expect.stringContaining(line) as unknown },
    ]);
    await report("app1", { guard: guard() });
  });
}

function blame(report: Tell, send: Send): void {
  const grants = (...ports: readonly (readonly [from: string, port: number])[]) => ({
    ...ssh,
    body: { ingress: ports.map(([from, port]) => ({ from, port, proto: "tcp" })) },
  });
  /** Ports of the rows that are named as refused. */
  const named = (answer: Answer): readonly string[] => {
    const { errors = [] } = expectProblem(answer, 422, "invalid_intent");
    return errors.map(
      ({ message }) => /refuses row services\/\w+#(\w+)/.exec(message)?.[1] ?? message,
    );
  };
  const rowOf = async (from: string, port: number): Promise<string> => {
    const { json } = await send("plan", {
      changes: [grants([from, port])],
      allow_guard_refusals: ["app1"],
    });
    const [host] = (
      json as {
        readonly hosts: readonly { readonly rules: { readonly added: readonly string[] } }[];
      }
    ).hosts;
    return /#(\w+)\)$/.exec(host?.rules.added[0] ?? "")?.[1] ?? "";
  };

  test("name the rows that are to blame, and no row that opens less or was there before", async () => {
    await report("app1", { guard: guard() });
    const answer = await send("plan", { changes: [grants(["any", 22], ["lan", 22])] });
    expect(named(answer)).toEqual([await rowOf("any", 22)]);

    expect(await send("commits", { changes: [grants(["any", 80])] })).toMatchObject({
      status: 201,
    });
    await report("app1", { guard: guard({ limits: { max_any_accept: 1 } }) });
    const more = await send("plan", { changes: [grants(["any", 80], ["any", 81])] });
    expect(named(more)).toEqual([await rowOf("any", 81)]);
    expect(await send("commits", { changes: [grants(["lan", 2342])] })).toMatchObject({
      status: 201,
    });
    await report("app1", { guard: guard() });
  });

  test("name the hosts as data, and how to publish all the same", async () => {
    const problem = expectProblem(await send("plan", { changes: [ssh] }), 422, "invalid_intent");
    expect(problem.errors).toMatchObject([{ code: "guard_refused", hosts: ["app1"] }]);
    expect(problem.errors?.[0]?.message).not.toContain("allow_guard_refusals");
    expect(problem.detail).toContain("allow_guard_refusals");
  });
}

function allowances(h: () => Harness, send: Send): void {
  test("let a commit go that names the host, with a warning and in the audit", async () => {
    const other = await send("commits", { changes: [ssh], allow_guard_refusals: ["edge1"] });
    expectProblem(other, 422, "invalid_intent");
    const allowed = { changes: [ssh], allow_guard_refusals: ["app1"] };
    expect(await send("plan", allowed)).toMatchObject({
      status: 200,
      json: {
        hosts: [{ host: "app1" }],
        warnings: [{ code: "guard_refused", severity: "warning" }],
      },
    });
    expect(await send("commits", allowed)).toMatchObject({
      status: 201,
      json: {
        hosts: [{ host: "app1" }],
        warnings: [{ code: "guard_refused", path: "/changes/0/body" }],
      },
    });
    const audit = await h().call("GET", "/v1/audit?limit=1");
    expect(audit.json).toMatchObject({ items: [{ body: { allow_guard_refusals: ["app1"] } }] });
  });

  test("stop no other change of a host that refuses already what it is served", async () => {
    const both = (second: number) => ({
      ...ssh,
      body: { ingress: [ssh.body.ingress[0], { from: "any", port: second, proto: "tcp" }] },
    });
    expect(await send("plan", { changes: [both(443)] })).toMatchObject({
      status: 200,
      json: { warnings: [{ code: "guard_refused" }] },
    });
    expectProblem(await send("plan", { changes: [both(3306)] }), 422, "invalid_intent");
  });
}

function silence(h: () => Harness, report: Tell): void {
  const warned = async (): Promise<readonly string[]> => {
    const view = (await h().call("GET", "/v1/hosts/edge1")).json as {
      readonly status: { readonly warnings: readonly { readonly code: string }[] };
    };
    return view.status.warnings.map(({ code }) => code).filter((code) => code === "silent");
  };

  test("make a host silent when two of their intervals went by without one", async () => {
    await enrolHost(h(), "edge1");
    await report("edge1");
    h().advance(2 * 3_600_000);
    expect(await warned()).toEqual([]);
    h().advance(1);
    expect(await warned()).toEqual(["silent"]);
    await report("edge1");
    expect(await warned()).toEqual([]);
  });
}

/** Two processes over one store, as isolates are; each writes what it saw at most every two minutes. */
function sightings(h: () => Harness): void {
  test("polls are written down together, no row a poll, and told by every process until the key ends", async () => {
    await h().put("host", "seen1", {});
    await enrolHost(h(), "seen1");
    const { sql } = h().ports;
    const [one, other] = [openSightings(h().ports), openSightings(h().ports)];
    expect(await other.lastOf(["seen1", "never1"])).toEqual(new Map());
    const first = h().ports.clock.now();
    for (let i = 0; i < 5; i += 1) one.saw("seen1");
    expect(await one.lastOf(["seen1"])).toEqual(new Map([["seen1", first]]));
    expect(await other.lastOf(["seen1"])).toEqual(new Map());
    await one.writeDue();
    const written = Math.floor(first / 1000) * 1000;
    expect(await other.lastOf(["seen1", "never1"])).toEqual(new Map([["seen1", written]]));
    expect(one.writeDue()).toBeUndefined();

    h().advance(30_000);
    one.saw("seen1");
    expect(one.writeDue()).toBeUndefined();
    h().advance(120_000);
    await one.writeDue();
    expect(await other.lastOf(["seen1"])).toEqual(new Map([["seen1", written + 30_000]]));
    const rows = await sql.prepare("SELECT count(*) AS n FROM sighting").first();
    expect(rows).toEqual({ n: 1 });

    await h().call("DELETE", "/v1/hosts/seen1/identity");
    h().advance(120_000);
    one.saw("seen1");
    await one.writeDue();
    expect(await other.lastOf(["seen1"])).toEqual(new Map());
  });

  test("a poll is seen whether or not it brings news, and a host's list says so", async () => {
    await h().put("host", "seen2", {});
    const token = await hostToken(h(), "seen2");
    const contact = async (): Promise<unknown> => {
      const { status } = (await h().call("GET", "/v1/hosts/seen2")).json as {
        status: { contact: unknown };
      };
      return status.contact;
    };
    expect(await contact()).toBeNull();
    await h().call("GET", "/v1/agent/update", { token });
    expect(await contact()).toBe("polling");
    h().advance(20 * 60_000);
    expect(await contact()).toBe("silent");
  });
}

function listening(h: () => Harness, report: Tell): void {
  test("say what listens beside the rules: how much of it in a list, and all of it for one host", async () => {
    const said = {
      undeclared: {
        entries: [{ protocol: "tcp", port: 8080, addresses: ["0.0.0.0"], process: "node" }],
        more: 2,
      },
      silent: {
        entries: [{ protocol: "tcp", port: 443, last_port: 443, row: "services/web#1" }],
        more: 0,
      },
    };
    await report("edge1", { listening: said });
    expect((await h().call("GET", "/v1/hosts/edge1")).json).toMatchObject({
      status: {
        warnings: expect.arrayContaining([
          {
            code: "undeclared_listeners",
            message: expect.stringContaining("3 ports are") as unknown,
          },
          {
            code: "silent_services",
            message: expect.stringContaining("1 port or range is") as unknown,
          },
        ]) as unknown,
      },
    });
    expect((await h().call("GET", "/v1/hosts/edge1/status")).json).toMatchObject({
      report: { listening: said },
    });
    await report("edge1");
    expect((await h().call("GET", "/v1/hosts/edge1/status")).json).toMatchObject({
      report: { listening: null },
    });
  });
}

function addresses(h: () => Harness, report: Tell): void {
  test.each<[string, readonly string[] | null, readonly string[]]>([
    [
      "a declared one",
      ["192.0.2.77"],
      ["it does not say that it has 192.0.2.1, which is declared"],
    ],
    ["nothing, having more than is declared", ["10.0.0.1", "192.0.2.1"], []],
    ["nothing, where the agent does not say", null, []],
    [
      "nothing, where it could not say all",
      Array.from({ length: 256 }, (_, i) => `10.0.0.${i}`),
      [],
    ],
  ])("warn of an address that the host lacks: %s", async (_, has, messages) => {
    await report("edge1", { addresses: has });
    const { json } = await h().call("GET", "/v1/hosts/edge1");
    const { warnings } = (json as { readonly status: { readonly warnings: readonly Warning[] } })
      .status;
    const mismatches = warnings.filter(({ code }) => code === "addresses_mismatch");
    expect(mismatches.map(({ message }) => message)).toEqual(messages);
    expect(json).toMatchObject({ body: { addresses: ["192.0.2.1"] } });
  });
}

interface Warning {
  readonly code: string;
  readonly message: string;
}
