/** What people read: tables, differences and plans, plain where nobody sees colours, harmless whoever wrote a cell. */
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import type { Plan } from "#schema/api/commits.ts";
import type { HostItem, StatusSummary } from "#schema/api/hosts.ts";
import { hostProperties, hostTable } from "#cli/commands/hosts/hosts.ts";
import { compareBodies } from "#cli/text/diff.ts";
import { type Output, wantsColours } from "#cli/text/output.ts";
import type { PlacedWarning } from "#cli/intent/proposal.ts";
import { printProposal } from "#cli/intent/proposal-text.ts";
import { formatSpan, formatTable } from "#cli/text/table.ts";

const hostItem = (key: string, status: StatusSummary): HostItem => ({
  kind: "host",
  key,
  body: { addresses: [], roles: [], labels: {} },
  revision: 7,
  at: "2027-01-01T00:00:00Z",
  by: "admin",
  on_behalf_of: null,
  source: "api",
  status,
});

describe("tables", () => {
  test("columns are as wide as their widest cell, and nothing is a dash", () => {
    expect(
      formatTable(
        ["A", "NAME"],
        [
          [1, "x"],
          [100, null],
          [2, ""],
        ],
      ),
    ).toEqual(["A    NAME", "1    x", "100  -", "2    -"]);
  });

  test("a cell cannot draw on the terminal or break its line", () => {
    expect(formatTable(["A"], [["\u001b[2Jx\ny\u202Ez"]])).toEqual(["A", "[2Jx y z"]);
  });

  test.each([
    [-5, "0s"],
    [119_000, "119s"],
    [120_000, "2m"],
    [7_199_000, "119m"],
    [7_200_000, "2h"],
    [172_800_000, "2d"],
  ])("%d ms is %s", (milliseconds, expected) => {
    expect(formatSpan(milliseconds)).toBe(expected);
  });

  test("hosts show what they are served, what they hold, and an expired lease as expired", () => {
    const now = Date.parse("2027-01-02T00:00:00Z");
    const held = { seq: 3, revision: 7 };
    const steady: StatusSummary = {
      state: "steady",
      published: held,
      applied: held,
      contact: "polling",
      last_poll_at: "2027-01-01T23:59:50Z",
      last_report_at: "2027-01-01T23:59:00Z",
      lease_expires_at: "2027-01-02T12:00:00Z",
      held_lease_expires_at: "2027-01-02T06:00:00Z",
      warnings: [],
    };
    const silent: StatusSummary = {
      ...steady,
      state: "stale",
      applied: null,
      contact: "silent",
      last_poll_at: "2027-01-01T23:00:00Z",
      lease_expires_at: "2027-01-02T12:00:00Z",
      held_lease_expires_at: "2027-01-01T00:00:00Z",
      warnings: [{ code: "silent", message: "it was last seen polling 60 minutes ago" }],
    };
    const fresh: StatusSummary = {
      ...steady,
      state: "unenrolled",
      published: null,
      applied: null,
      contact: null,
      last_poll_at: null,
      last_report_at: null,
      lease_expires_at: null,
      held_lease_expires_at: null,
    };
    const items = [hostItem("gw", steady), hostItem("web1", silent), hostItem("new", fresh)];
    expect(hostTable(items, now)).toEqual([
      "HOST  STATE              PUBLISHED  APPLIED  LEASE  HELD     POLL     REPORT   WARNINGS",
      "gw    steady             3/r7       3/r7     12h    6h       10s ago  60s ago  -",
      "web1  silent, was stale  3/r7       -        12h    expired  60m ago  60s ago  1",
      "new   unenrolled         -          -        -      -        -        -        -",
    ]);
  });

  test("a host shows what listens beside its rules, and what does not answer", () => {
    const status: StatusSummary = {
      state: "steady",
      published: null,
      applied: null,
      contact: null,
      last_poll_at: null,
      last_report_at: null,
      lease_expires_at: null,
      held_lease_expires_at: null,
      warnings: [],
    };
    const listening = {
      undeclared: {
        entries: [
          { protocol: "tcp" as const, port: 8080, addresses: ["0.0.0.0", "::"], process: "node" },
        ],
        more: 3,
      },
      silent: {
        entries: [{ protocol: "udp" as const, port: 53, last_port: 53, row: "services/dns#0" }],
        more: 0,
      },
    };
    expect(hostProperties(hostItem("gw", status), listening, 0).slice(-3)).toEqual([
      "undeclared       tcp 8080 on 0.0.0.0, :: by node",
      "undeclared       and 3 more",
      "silent           udp 53 of services/dns#0",
    ]);
  });
});

describe("differences", () => {
  const texts = (before: unknown, after: unknown) =>
    compareBodies(before, after).map(({ tone, text }) => `${tone} ${text}`);

  test("a field is named by its path", () => {
    expect(texts({ a: { b: 1 }, c: "x" }, { a: { b: 2 }, d: "y" })).toEqual([
      "changed a.b: 1 -> 2",
      "removed c: - x",
      "added d: + y",
    ]);
  });

  test("a list is compared by its items, so that an entry put first is one line", () => {
    const ssh = { from: "lan", macro: "ssh" };
    const web = { from: "any", port: 443, proto: "tcp" };
    expect(texts({ ingress: [ssh] }, { ingress: [web, ssh] })).toEqual([
      "added ingress: + { from: any, port: 443, proto: tcp }",
    ]);
    expect(texts({ ingress: [ssh, web] }, { ingress: [web, ssh] })).toEqual([
      "changed ingress: another order",
    ]);
    expect(texts({ x: ["a", "a"] }, { x: ["a"] })).toEqual(["removed x: - a"]);
  });

  test("the order of fields is no difference", () => {
    expect(texts({ a: 1, b: [{ c: 1, d: 2 }] }, { b: [{ d: 2, c: 1 }], a: 1 })).toEqual([]);
  });
});

describe("plans", () => {
  const answer: Plan = {
    revision: 7,
    changes: [
      {
        op: "create",
        kind: "service",
        key: "web",
        before: null,
        after: { ingress: [] },
        source_before: null,
      },
      {
        op: "update",
        kind: "zone",
        key: "lan",
        before: { cidrs: ["192.0.2.0/24"] },
        after: { cidrs: ["198.51.100.0/24"] },
        source_before: "catalog",
      },
      {
        op: "delete",
        kind: "zone",
        key: "iot",
        before: { cidrs: [] },
        after: null,
        source_before: "catalog",
      },
    ],
    staged: [],
    pinned: [],
    waiting: [],
    behind: [],
    names: {},
    hosts: [
      {
        host: "web1",
        before: { bundle_sha256: "", rules: 3, elements: 1 },
        after: { bundle_sha256: "", rules: 4, elements: 9 },
        opens: [
          {
            scope: "host",
            direction: "in",
            what: "tcp 443",
            from: { name: "zone lan", addresses: ["198.51.100.0/24"], more: false },
            to: { name: "any", addresses: [], more: false },
            until: "2027-01-01T00:00:00Z",
            row: "services/web#0",
          },
        ],
        closes: [],
        more: false,
        scopes: { added: ["overlay vpn by tun0 for 10.8.0.0/24"], removed: [] },
        rules: { added: ["accept tcp 443 in from zone lan"], removed: [] },
        other: ["set zone lan is new: x"],
        sets: [
          {
            name: "zone lan",
            added: ["198.51.100.0/24"],
            removed: [],
            added_count: 1,
            removed_count: 30,
          },
        ],
      },
    ],
    warnings: [],
  };
  const printed = (colours: boolean): readonly string[] => {
    const lines: string[] = [];
    const output: Output = {
      colours,
      line: (text) => void lines.push(text),
      error: () => {},
      confirm: undefined,
      redraw: undefined,
    };
    const place = { file: "a.yaml", line: 3, column: 5 };
    const warning = { severity: "warning", message: "w" } as const;
    const warnings: PlacedWarning[] = [
      { ...warning, code: "empty_source", path: "/services/web/ingress/0/from", place },
      { ...warning, code: "no_target", path: "/services/old", place: null },
    ];
    const undeclared = [{ kind: "zone", key: "old" }] as const;
    printProposal(output, { answer, warnings, undeclared, source: "catalog" });
    return lines;
  };

  test("what opens, then rows, then hosts, then what to look at, then the sum", () => {
    expect(printed(false)).toEqual([
      "opens:",
      "  + tcp 443 to web1: from zone lan (198.51.100.0/24), until 2027-01-01T00:00:00Z",
      "+ service web",
      "~ zone lan",
      "    cidrs: - 192.0.2.0/24",
      "    cidrs: + 198.51.100.0/24",
      "- zone iot",
      "host web1: 3 -> 4 rules, 1 -> 9 elements",
      "    + scope overlay vpn by tun0 for 10.8.0.0/24",
      "    + accept tcp 443 in from zone lan",
      "    set zone lan: +1 -30 (+198.51.100.0/24 …)",
      "    set zone lan is new: x",
      "warning: a.yaml:3:5: /services/web/ingress/0/from: w",
      "warning: /services/old: w",
      "1 row of source catalog stands in no file: zone old; --prune deletes it",
      "3 changes (1 create, 1 update, 1 delete) on revision 7, 1 host affected",
    ]);
  });

  test("colours change no character", () => {
    const plain = printed(true).map((line) => stripVTControlCharacters(line));
    expect(plain).toEqual(printed(false));
    expect(printed(true)[2]).toBe("\u001b[32m+ service web\u001b[0m");
  });

  test("NO_COLOR, a dumb terminal and a pipe have none", () => {
    expect(wantsColours({}, true)).toBe(true);
    expect(wantsColours({ NO_COLOR: "1" }, true)).toBe(false);
    expect(wantsColours({ TERM: "dumb" }, true)).toBe(false);
    expect(wantsColours({}, false)).toBe(false);
  });
});
