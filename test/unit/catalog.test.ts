import { describe, expect, test } from "vitest";
import { compile, findReferences } from "#core/compile/index.ts";
import type { WrittenRow } from "../support/intent.ts";
import { snapshotOf } from "../support/intent.ts";

type Body<K extends WrittenRow["kind"]> = Extract<WrittenRow, { kind: K }>["body"];
const host = (key: string, ...roles: string[]): WrittenRow => ({
  kind: "host",
  key,
  body: { roles },
});
const addressed = (key: string, ...addresses: string[]): WrittenRow => ({
  kind: "host",
  key,
  body: { addresses },
});
const zone = (key: string, ...cidrs: string[]): WrittenRow => ({
  kind: "zone",
  key,
  body: { cidrs },
});
const service = (key: string, ...ingress: Body<"service">["ingress"]): WrittenRow => ({
  kind: "service",
  key,
  body: { ingress },
});
const from = (source: string, rest: Partial<Body<"service">["ingress"][number]> = {}) => ({
  from: source,
  port: 443,
  proto: "tcp" as const,
  ...rest,
});
const overlay: WrittenRow = {
  kind: "overlay",
  key: "office",
  body: {
    host: "web1",
    interfaces: ["tun0"],
    subnets: ["10.8.0.0/24"],
    policy: "full-isolation",
    groups: ["dev"],
  },
};
const web1 = host("web1", "web");
const lan = zone("lan", "10.0.0.0/24");

function findings(...rows: readonly WrittenRow[]): readonly string[] {
  const compiled = compile(snapshotOf(rows));
  return (compiled.ok ? compiled.warnings : compiled.diagnostics).map(
    ({ severity, code, path, message }) => `${severity} ${code} ${path}: ${message}`,
  );
}

describe("names in a catalog", () => {
  const dots = "a".padEnd(63, ".");
  const long = "is too long: each character but letters and digits counts two or three";
  test.each<[string, readonly WrittenRow[], string]>([
    [
      "a name that nothing bears",
      [web1, service("web", from("wan"))],
      "error unknown_name /services/web/ingress/0/from: expected a declared zone, role or host, found wan",
    ],
    [
      "a zone that is a role",
      [web1, lan, service("web", from("lan"), from("zone:web"))],
      "error unknown_name /services/web/ingress/1/from: expected a declared zone, found web",
    ],
    [
      "a group of an overlay nobody declared",
      [web1, service("web", from("group:office/dev"))],
      "error unknown_name /services/web/ingress/0/from: expected a declared overlay and one of its groups, found office/dev",
    ],
    [
      "a name that is a zone, a role and a host",
      [host("x", "x", "web"), zone("x", "10.0.0.0/24"), service("web", from("x"))],
      "error ambiguous_name /services/web/ingress/0/from: x is more than one thing: write zone:x or role:x or host:x",
    ],
    [
      "a host that bears a service's name, which names a role",
      [web1, host("db"), service("db"), service("web", from("db"))],
      "error ambiguous_name /services/web/ingress/0/from: db is more than one thing: write role:db or host:db",
    ],
    [
      "a target nobody declared",
      [web1, { kind: "service", key: "web", body: { ingress: [], to: ["role:web", "host:web2"] } }],
      "error unknown_target /services/web/to/1: expected a declared host, found web2",
    ],
    [
      "a role nobody fills or serves, as a target",
      [web1, { kind: "service", key: "web", body: { ingress: [], to: ["role:cache"] } }],
      "error unknown_target /services/web/to/0: expected a declared role, found cache",
    ],
    [
      "a required source without an address",
      [web1, zone("lan"), service("web", from("lan", { required: true }))],
      "error empty_source /services/web/ingress/0/from: lan is required and has no address",
    ],
    [
      "an address of two hosts, at the later key",
      [addressed("b", "10.0.0.1"), addressed("a", "10.0.0.2", "10.0.0.1")],
      "error duplicate_address /hosts/b/addresses/0: 10.0.0.1 belongs to host a",
    ],
    [
      "a host as a source whose name is too long for the kernel",
      [web1, addressed(dots, "10.0.0.1"), service("web", from(`host:${dots}`))],
      `error name_too_long /services/web/ingress/0/from: host:${dots} as a kernel object's name ${long}`,
    ],
  ])("refuses %s, with its path", (_, rows, expected) => {
    expect(findings(...rows).filter((text) => text.startsWith("error"))).toEqual([expected]);
    expect(compile(snapshotOf(rows)).ok).toBe(false);
  });

  test.each<[string, readonly WrittenRow[], readonly string[]]>([
    [
      "an empty zone and a role that no host fills",
      [web1, zone("lan"), service("batch"), service("web", from("lan"), from("batch"))],
      [
        "warning no_target /services/batch: no host is role:batch, so its grants are nowhere",
        "warning empty_source /services/web/ingress/0/from: lan has no address and matches nothing",
        "warning empty_source /services/web/ingress/1/from: batch has no address and matches nothing",
      ],
    ],
    ["overlapping zones", [lan, zone("wide", "10.0.0.0/8")], []],
    [
      "a source that a zone and a role share, written out",
      [addressed("web1", "10.0.0.1"), zone("w", "10.0.0.0/8"), service("w", from("zone:w"))],
      ["warning no_target /services/w: no host is role:w, so its grants are nowhere"],
    ],
  ])("compiles %s, with warnings at most", (_, rows, expected) => {
    expect(findings(...rows)).toEqual(expected);
    expect(compile(snapshotOf(rows)).ok).toBe(true);
  });
});

describe("rules of a service", () => {
  const rowsOf = (...rows: readonly WrittenRow[]): readonly string[] => {
    const compiled = compile(snapshotOf(rows));
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
    return compiled.rulesets.get("web1")?.rules.map(({ row }) => row) ?? [];
  };

  test("a row's id depends on its own content: neighbours, order, reason and required change none", () => {
    const [first] = rowsOf(web1, lan, service("web", from("lan")));
    expect(
      rowsOf(web1, lan, service("web", from("any"), from("lan", { reason: "why" }))),
    ).toContain(first);
    expect(
      rowsOf(web1, lan, service("web", from("lan", { required: true, port: "443" }))),
    ).toContain(first);
    expect(rowsOf(web1, lan, service("web", from("lan", { port: 444 })))).not.toContain(first);
    expect(rowsOf(web1, lan, service("web", from("zone:lan")))).not.toContain(first);
  });

  test("one grant written twice is one rule", () => {
    expect(
      rowsOf(web1, lan, service("web", from("lan"), from("lan", { reason: "again" }))),
    ).toHaveLength(2);
  });

  test("a new host in a role changes a set and no rule", () => {
    const rows = [web1, lan, service("web", from("role:web")), host("web2", "web")];
    const more = compile(
      snapshotOf([...rows.slice(0, 3), addressed("x", "10.0.0.9"), ...rows.slice(3)]),
    );
    const fewer = compile(snapshotOf(rows.slice(0, 3)));
    if (!more.ok || !fewer.ok) throw new Error("expected both to compile");
    expect(more.rulesets.get("web1")?.rules).toEqual(fewer.rulesets.get("web1")?.rules);
  });
});

describe("references", () => {
  const named = (kind: string, key: string, ...rows: readonly WrittenRow[]): readonly string[] =>
    (findReferences(snapshotOf(rows)).get(`${kind} ${key}`) ?? []).map(({ path }) => path);

  test("finds who names a zone, a host, an overlay, bare or written out", () => {
    const rows = [
      web1,
      lan,
      overlay,
      service("web", from("lan"), from("zone:lan"), from("group:office/dev"), from("web1")),
      {
        kind: "service",
        key: "probe",
        body: { ingress: [], to: ["host:web1"] },
      } satisfies WrittenRow,
      { kind: "member", key: "office/al", body: { group: "dev" } } satisfies WrittenRow,
    ];
    expect(named("zone", "lan", ...rows)).toEqual([
      "/services/web/ingress/0/from",
      "/services/web/ingress/1/from",
    ]);
    expect(named("overlay", "office", ...rows)).toEqual([
      "/members/office/al",
      "/services/web/ingress/2/from",
    ]);
    expect(named("host", "web1", ...rows)).toEqual([
      "/overlays/office/host",
      "/services/probe/to/0",
      "/services/web/ingress/3/from",
    ]);
    expect(named("member", "office/al", ...rows)).toEqual([]);
  });

  test("a role needs its last holder only", () => {
    const uses = service("web", from("db"));
    expect(named("host", "db1", host("db1", "db"), uses)).toEqual(["/services/web/ingress/0/from"]);
    expect(named("host", "db1", host("db1", "db"), host("db2", "db"), uses)).toEqual([]);
    expect(named("service", "db", service("db"), uses)).toEqual(["/services/web/ingress/0/from"]);
    expect(named("service", "db", host("db1", "db"), service("db"), uses)).toEqual([]);
    expect(named("host", "web1", web1, service("web"))).toEqual([]);
  });
});
