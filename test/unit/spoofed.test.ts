/** Where a source may come from, by example: through a gateway, and for it. */
import { describe, expect, test } from "vitest";
import { Guard } from "#schema/guard.ts";
import type { Packet, PacketState } from "#core/simulate/index.ts";
import { prepare } from "#core/simulate/index.ts";
import { ruleOf, rulesetOf } from "../support/rulesets.ts";

const everything = (direction: "in" | "out" | "peer", scope = "overlay/office") =>
  ruleOf({ scope, direction, verdict: "accept", counter: `r_${direction}` });

/** Whatever is not spoofed is accepted. */
const ruleset = rulesetOf({
  scopes: [
    { kind: "host" },
    {
      kind: "overlay",
      name: "lab",
      interfaces: ["wg0"],
      subnets: ["10.9.0.0/16", "169.254.7.0/24"],
    },
    {
      kind: "overlay",
      name: "office",
      interfaces: ["tun0", "tun1"],
      subnets: ["10.8.0.0/24", "fd00:8::/64"],
    },
  ],
  rules: [
    everything("in", "host"),
    ...(["overlay/lab", "overlay/office"] as const).flatMap((scope) =>
      (["peer", "out", "in"] as const).map((direction) => everything(direction, scope)),
    ),
  ],
});
const guard = Guard.parse({
  management: { interfaces: ["mgmt0"], allow: [{ cidr: "192.0.2.0/24", proto: "tcp", port: 22 }] },
});
const judge = prepare(ruleset, guard);

const ends = (source: string) => ({
  source,
  destination: source.includes(":") ? "2001:db8:1::1" : "203.0.113.1",
});
const said = (packet: Packet): string => {
  const { verdict, tally } = judge(packet);
  return tally === "c_spoofed" ? "spoofed" : verdict;
};
const incoming = (iif: string, source: string, state: PacketState = "new", port = 443): string =>
  said({ hook: "input", iif, protocol: "tcp", port, state, ...ends(source) });

describe("what comes in for a gateway", () => {
  test.each([
    ["tun0", "10.8.0.2", "accept"],
    ["tun1", "fd00:8::2", "accept"],
    ["eth0", "198.51.100.7", "accept"],
    ["eth0", "10.8.1.2", "accept"],
    ["eth0", "10.8.0.2", "spoofed"],
    ["wg0", "10.8.0.2", "spoofed"],
    ["eth0", "fd00:8::2", "spoofed"],
    ["tun0", "198.51.100.7", "spoofed"],
    ["tun1", "2001:db8::7", "spoofed"],
    ["tun0", "10.9.0.2", "spoofed"],
    ["wg0", "fd00:9::2", "spoofed"],
    ["lo", "10.8.0.1", "accept"],
    ["mgmt0", "10.8.0.2", "accept"],
  ])("by %s from %s: %s", (iif, source, expected) => {
    expect(incoming(iif, source)).toBe(expected);
  });

  test.each(["0.0.0.0", "169.254.1.1", "169.254.7.1", "::", "fe80::1", "febf::1"])(
    "%s comes by every way: it is of each link, or of nobody yet",
    (source) => {
      for (const iif of ["eth0", "tun0", "wg0"]) expect(incoming(iif, source)).toBe("accept");
    },
  );

  test("management, answers and what always passes stand before it", () => {
    expect(incoming("tun0", "192.0.2.9", "new", 22)).toBe("accept");
    expect(incoming("eth0", "10.8.0.2", "established")).toBe("accept");
    const icmp = { hook: "input", protocol: "icmp", state: "new" } as const;
    expect(said({ ...icmp, iif: "eth0", icmpType: 3, ...ends("10.8.0.2") })).toBe("accept");
    expect(said({ ...icmp, iif: "tun0", icmpType: 2, ...ends("2001:db8::7") })).toBe("accept");
    expect(said({ ...icmp, iif: "tun0", icmpType: 13, ...ends("198.51.100.7") })).toBe("spoofed");
  });
});

const forwarded = (iif: string, source: string, oif: string): string =>
  said({ hook: "forward", iif, oif, protocol: "other", state: "new", ...ends(source) });

describe("what goes through a gateway", () => {
  test.each([
    ["tun0", "10.8.0.2", "tun1", "accept"],
    ["tun0", "10.8.0.2", "eth0", "accept"],
    ["tun0", "10.8.0.2", "wg0", "accept"],
    ["eth0", "198.51.100.7", "tun0", "accept"],
    ["tun0", "198.51.100.7", "tun1", "spoofed"],
    ["tun0", "198.51.100.7", "eth0", "spoofed"],
    ["eth0", "10.8.0.2", "tun0", "spoofed"],
    ["eth0", "10.8.0.2", "wg0", "spoofed"],
    ["eth0", "fd00:8::2", "tun0", "spoofed"],
    ["wg0", "10.8.0.2", "tun0", "spoofed"],
    ["tun0", "fe80::9", "tun1", "accept"],
    ["eth0", "10.8.0.2", "eth1", "accept"],
  ])("by %s from %s to %s: %s", (iif, source, oif, expected) => {
    expect(forwarded(iif, source, oif)).toBe(expected);
  });
});

test("a host without overlays asks nobody where he came from", () => {
  const plain = prepare(
    rulesetOf({ scopes: [{ kind: "host" }], rules: [everything("in", "host")] }),
  );
  expect(
    plain({
      hook: "input",
      iif: "eth0",
      protocol: "tcp",
      port: 443,
      state: "new",
      ...ends("10.8.0.2"),
    }).verdict,
  ).toBe("accept");
});
