/** Everything that the compiler finds wrong with hosts, overlays, members and names, by example. */
import { describe, expect, test } from "vitest";
import { compile } from "#core/compile/index.ts";
import type { OverlayPolicy } from "#schema/intent.ts";
import type { WrittenRow } from "../support/intent.ts";
import { snapshotOf } from "../support/intent.ts";
import { alice, findings, gw, member, overlay } from "../support/office.ts";

describe("diagnostics", () => {
  test.each<[string, readonly WrittenRow[], readonly string[]]>([
    [
      "an overlay on a host nobody declared",
      [gw, overlay("office", { host: "ghost" }), alice],
      ["error unknown_host /overlays/office/host"],
    ],
    [
      "a member of an overlay nobody declared",
      [gw, member("ghost/alice", "dev", "10.8.0.2")],
      ["error unknown_overlay /members/ghost/alice"],
    ],
    [
      "a group the overlay does not declare",
      [gw, overlay("office"), alice, member("office/carol", "ops", "10.8.0.4")],
      ["error unknown_group /members/office/carol/group"],
    ],
    [
      "a group that is undeclared though the policy does not read groups",
      [gw, overlay("office", { policy: "same-subnet" }), alice, member("office/carol", "ops")],
      ["error unknown_group /members/office/carol/group"],
    ],
    [
      "one interface for two overlays of a host",
      [
        gw,
        overlay("office"),
        alice,
        overlay("lab", {
          interfaces: ["tun1", "tun0"],
          policy: "full-isolation",
          subnets: ["10.9.0.0/24"],
        }),
      ],
      ["error duplicate_interface /overlays/office/interfaces/0"],
    ],
    [
      "a member that is a host nobody declared",
      [
        gw,
        overlay("office"),
        {
          kind: "member",
          key: "office/a",
          body: { group: "dev", addresses: ["10.8.0.2"], host: "ghost" },
        },
      ],
      ["error unknown_host /members/office/a/host"],
    ],
    [
      "an overlay on loopback, and on what is named as a network card",
      [
        gw,
        overlay("office", {
          interfaces: [
            "lo",
            "eth0",
            "enp0s31f6",
            "wlan0",
            "vmbr0",
            "tun0",
            "wg0",
            "entry0",
            "eth",
            "ens3",
          ],
        }),
        alice,
      ],
      [
        "error unusable_interface /overlays/office/interfaces/0",
        "warning uplink_interface /overlays/office/interfaces/1",
        "warning uplink_interface /overlays/office/interfaces/2",
        "warning uplink_interface /overlays/office/interfaces/3",
        "warning uplink_interface /overlays/office/interfaces/4",
        "warning uplink_interface /overlays/office/interfaces/9",
      ],
    ],
    [
      "names of one kind that differ by case alone",
      [
        gw,
        { kind: "host", key: "web1", body: { roles: ["web", "Db"] } },
        { kind: "host", key: "Web1", body: { roles: ["web"] } },
        { kind: "zone", key: "WEB1", body: { cidrs: ["192.0.2.0/24"] } },
        { kind: "service", key: "db", body: { ingress: [], to: ["host:gw"] } },
        { kind: "service", key: "DB", body: { ingress: [], to: ["host:gw"] } },
        overlay("office", { groups: ["dev", "Dev"], policy: "same-subnet" }),
        member("office/alice", "dev"),
        member("office/Alice", "dev"),
        overlay("Office", {
          interfaces: ["tun1"],
          subnets: ["10.9.0.0/24"],
          policy: "same-subnet",
          groups: [],
        }),
      ],
      [
        "warning similar_names /hosts/web1",
        "warning similar_names /hosts/web1/roles/1",
        "warning similar_names /members/office/alice",
        "warning similar_names /overlays/office",
        "warning similar_names /overlays/office/groups/0",
        "warning similar_names /services/db",
      ],
    ],
    [
      "names that would make too long a counter",
      [gw, overlay("office", { groups: ["dev", "a".padEnd(63, ".")] }), alice],
      [
        "warning empty_group /overlays/office/groups/1",
        "error name_too_long /overlays/office/groups/1",
      ],
    ],
    [
      "an overlay's own name that would make too long a counter",
      [gw, overlay("a".padEnd(63, "."), { policy: "full-isolation", groups: [] })],
      [`error name_too_long /overlays/${"a".padEnd(63, ".")}`],
    ],
    [
      "a group without members",
      [gw, overlay("office", { groups: ["ops", "dev"] }), alice],
      ["warning empty_group /overlays/office/groups/0"],
    ],
    [
      "a member without an address",
      [gw, overlay("office"), member("office/alice", "dev")],
      ["warning no_address /members/office/alice/addresses"],
    ],
  ])("reports %s, with its path", (_, rows, expected) => {
    expect(findings(rows)).toEqual(expected);
  });

  const wiki = (to: string[], required?: boolean): WrittenRow => ({
    kind: "service",
    key: "wiki",
    body: {
      to,
      ingress: [
        {
          from: "group:office/dev",
          port: 443,
          proto: "tcp",
          ...(required === undefined ? {} : { required }),
        },
      ],
    },
  });
  const behind = (group: string): WrittenRow => ({
    kind: "member",
    key: "office/web1",
    body: { group, addresses: ["10.8.0.9"], host: "web1" },
  });
  const web1: WrittenRow = { kind: "host", key: "web1", body: {} };
  const at = "/services/wiki/ingress/0/from";

  test.each<[string, readonly WrittenRow[], readonly string[]]>([
    ["the gateway itself", [wiki(["host:gw"])], []],
    ["a host behind it", [wiki(["host:gw", "host:web1"])], [`warning unreachable_source ${at}`]],
    [
      "a host behind it that must be reached",
      [wiki(["host:web1"], true)],
      [`error unreachable_source ${at}`],
    ],
    ["a member of the same group", [behind("dev"), wiki(["host:web1"], true)], []],
    [
      "a member of another group",
      [behind("ops"), wiki(["host:web1"])],
      [`warning unreachable_source ${at}`],
    ],
  ])("says whether a group comes to %s", (_, rows, expected) => {
    const groups = [
      overlay("office", { groups: ["dev", "ops"] }),
      alice,
      member("office/bob", "ops", "10.8.0.3"),
    ];
    expect(findings([gw, web1, ...groups, ...rows])).toEqual(expected);
  });

  test.each<[OverlayPolicy, readonly string[]]>([
    ["same-subnet", []],
    ["full-isolation", [`warning unreachable_source ${at}`]],
  ])("says whether a group comes to a member under %s", (policy, expected) => {
    const rows = [
      gw,
      web1,
      overlay("office", { policy }),
      alice,
      behind("dev"),
      wiki(["host:web1"]),
    ];
    expect(findings(rows)).toEqual(expected);
  });

  test("reports all findings at once, sorted by path, and makes no ruleset", () => {
    const rows = [
      gw,
      overlay("office", { host: "ghost", groups: ["dev", "ops"] }),
      member("office/carol", "none", "10.9.0.1", "10.8.0.2"),
      member("other/dave", "dev"),
      alice,
    ];
    expect(findings(rows)).toEqual([
      "error address_outside_overlay /members/office/carol/addresses/0",
      "error duplicate_address /members/office/carol/addresses/1",
      "error unknown_group /members/office/carol/group",
      "error unknown_overlay /members/other/dave",
      "warning empty_group /overlays/office/groups/1",
      "error unknown_host /overlays/office/host",
    ]);
    expect(compile(snapshotOf(rows)).ok).toBe(false);
  });

  test("names the other row of a collision", () => {
    const compiled = compile(
      snapshotOf([gw, overlay("office"), member("office/bob", "dev", "10.8.0.2"), alice]),
    );
    expect(!compiled.ok && compiled.diagnostics[0]?.message).toBe(
      "10.8.0.2 belongs to member office/alice",
    );
  });

  test("lets two hosts have one interface and one subnet, and one machine be in two overlays", () => {
    const machine = (key: string, host: string): WrittenRow => ({
      kind: "member",
      key,
      body: { group: "dev", addresses: ["10.8.0.2"], host },
    });
    const rows = (far: string) => [
      gw,
      { kind: "host", key: "gw2", body: {} } as const,
      { kind: "host", key: "web1", body: { addresses: ["10.8.0.2"] } } as const,
      overlay("office"),
      overlay("far", { host: "gw2" }),
      machine("office/alice", "web1"),
      machine("far/alice", far),
    ];
    expect(findings(rows("web1"))).toEqual([]);
    expect(findings(rows("gw"))).toEqual([
      "warning inside_overlay /hosts/web1/addresses/0",
      "error duplicate_address /members/far/alice/addresses/0",
    ]);
  });
});
