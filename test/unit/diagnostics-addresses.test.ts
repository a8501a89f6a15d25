/** What the compiler finds wrong with addresses and networks, by example. */
import { describe, expect, test } from "vitest";
import type { WrittenRow } from "../support/intent.ts";
import { alice, findings, gw, member, overlay } from "../support/office.ts";

describe("diagnostics of addresses", () => {
  test.each<[string, readonly WrittenRow[], readonly string[]]>([
    [
      "an address outside every subnet, by its index",
      [gw, overlay("office"), member("office/carol", "dev", "10.8.0.4", "10.9.0.4")],
      ["error address_outside_overlay /members/office/carol/addresses/1"],
    ],
    [
      "an IPv6 address outside every subnet",
      [gw, overlay("office"), member("office/carol", "dev", "fd00:9::4")],
      ["error address_outside_overlay /members/office/carol/addresses/0"],
    ],
    [
      "one address for two members, at the later key",
      [gw, overlay("office"), member("office/carol", "dev", "10.8.0.2"), alice],
      ["error duplicate_address /members/office/carol/addresses/0"],
    ],
    [
      "overlapping subnets of one overlay",
      [gw, overlay("office", { subnets: ["10.8.0.0/16", "fd00:8::/64", "10.8.4.0/24"] }), alice],
      ["error overlapping_subnets /overlays/office/subnets/2"],
    ],
    [
      "overlapping subnets of two overlays of a host, and not of two hosts",
      [
        gw,
        { kind: "host", key: "gw2", body: {} },
        overlay("office"),
        alice,
        overlay("lab", {
          interfaces: ["tun1"],
          subnets: ["fd00:9::/64", "10.8.0.0/16"],
          groups: [],
        }),
        overlay("far", { host: "gw2", groups: [] }),
      ],
      ["error overlapping_subnets /overlays/office/subnets/0"],
    ],
    [
      "one address for members of two overlays",
      [
        gw,
        { kind: "host", key: "gw2", body: {} },
        overlay("office"),
        overlay("far", { host: "gw2" }),
        alice,
        member("far/eve", "dev", "10.8.0.2"),
      ],
      ["error duplicate_address /members/office/alice/addresses/0"],
    ],
    [
      "one address for a host and a member that is not said to be it",
      [
        gw,
        { kind: "host", key: "web1", body: { addresses: ["192.0.2.1", "10.8.0.2"] } },
        overlay("office"),
        alice,
      ],
      [
        "warning inside_overlay /hosts/web1/addresses/1",
        "error duplicate_address /members/office/alice/addresses/0",
      ],
    ],
    [
      "one address twice in an overlay, though both members are one machine",
      [
        gw,
        overlay("office"),
        {
          kind: "member",
          key: "office/a",
          body: { group: "dev", addresses: ["10.8.0.2"], host: "gw" },
        },
        {
          kind: "member",
          key: "office/b",
          body: { group: "dev", addresses: ["10.8.0.2"], host: "gw" },
        },
      ],
      ["error duplicate_address /members/office/b/addresses/0"],
    ],
    [
      "a host inside an overlay that it is no member of, and neither the gateway nor a member",
      [
        { kind: "host", key: "gw", body: { addresses: ["10.8.0.1"] } },
        { kind: "host", key: "web1", body: { addresses: ["10.8.0.2"] } },
        { kind: "host", key: "web2", body: { addresses: ["10.8.0.3", "fd00:8::3"] } },
        overlay("office"),
        {
          kind: "member",
          key: "office/web1",
          body: { group: "dev", host: "web1", addresses: ["10.8.0.2"] },
        },
      ],
      [
        "warning inside_overlay /hosts/web2/addresses/0",
        "warning inside_overlay /hosts/web2/addresses/1",
      ],
    ],
    [
      "an overlay of every address",
      [gw, overlay("office", { subnets: ["0.0.0.0/0", "::/0"] }), alice],
      [
        "error unusable_address /overlays/office/subnets/0",
        "error unusable_address /overlays/office/subnets/1",
      ],
    ],
    [
      "subnets and members that are loopback, multicast or link-local",
      [
        gw,
        overlay("office", { subnets: ["127.8.0.0/16", "ff02::/64", "169.254.7.0/30"] }),
        member("office/a", "dev", "127.8.0.1", "ff02::1", "169.254.7.2"),
      ],
      [
        "error unusable_address /members/office/a/addresses/0",
        "error unusable_address /members/office/a/addresses/1",
        "warning link_local_address /members/office/a/addresses/2",
        "error unusable_address /overlays/office/subnets/0",
        "error unusable_address /overlays/office/subnets/1",
        "warning link_local_address /overlays/office/subnets/2",
      ],
    ],
    [
      "hosts with addresses that nothing comes from",
      [
        {
          kind: "host",
          key: "gw",
          body: {
            addresses: [
              "0.0.0.0",
              "127.0.0.1",
              "224.0.0.1",
              "255.255.255.255",
              "::",
              "::1",
              "ff02::1",
              "fe80::1",
              "169.254.1.1",
              "192.0.2.1",
              "2001:db8::1",
            ],
          },
        },
      ],
      [
        ...[0, 1, 2, 3, 4, 5, 6].map((i) => `error unusable_address /hosts/gw/addresses/${i}`),
        "warning link_local_address /hosts/gw/addresses/7",
        "warning link_local_address /hosts/gw/addresses/8",
      ],
    ],
    [
      "zones and networks that nothing comes from, and not what is wider",
      [
        gw,
        {
          kind: "zone",
          key: "z",
          body: {
            cidrs: [
              "127.0.0.0/8",
              "224.0.0.0/4",
              "ff00::/8",
              "fe80::/64",
              "0.0.0.0/0",
              "::/0",
              "224.0.0.0/3",
            ],
          },
        },
        {
          kind: "service",
          key: "s",
          body: {
            to: ["host:gw"],
            ingress: [
              { from: "z", port: 1, proto: "tcp" },
              { from: "127.0.0.1/32", port: 1, proto: "tcp" },
              { from: "fe80::/10", port: 1, proto: "tcp" },
            ],
          },
        },
      ],
      [
        "error unusable_address /services/s/ingress/1/from",
        "warning link_local_address /services/s/ingress/2/from",
        "error unusable_address /zones/z/cidrs/0",
        "error unusable_address /zones/z/cidrs/1",
        "error unusable_address /zones/z/cidrs/2",
        "warning link_local_address /zones/z/cidrs/3",
      ],
    ],
  ])("reports %s, with its path", (_, rows, expected) => {
    expect(findings(rows)).toEqual(expected);
  });
});
