import { widest } from "#schema/ruleset.ts";
import { describe, expect, test } from "vitest";
import { Ruleset } from "#schema/ruleset.ts";
import type { Rule } from "#schema/ruleset.ts";
import type { PacketVerdict, PacketGuard, Packet } from "#core/simulate/index.ts";
import { simulate } from "#core/simulate/index.ts";

const rule = (
  row: string,
  direction: Rule["direction"],
  verdict: Rule["verdict"],
  rest: Partial<Rule> = {},
): Rule => ({
  ...widest,
  row: `test/row#${row}`,
  scope: "host",
  section: row.endsWith("end") ? "end" : verdict === "accept" ? "grant" : "deny",
  direction,
  verdict,
  counter: `r_${row}`,
  ...rest,
});
const ruleset = (parts: Partial<Ruleset>): Ruleset =>
  Ruleset.parse({ scopes: [{ kind: "host" }], sets: [], classes: [], rules: [], ...parts });

const closedIn = ruleset({ rules: [rule("end", "in", "drop")] });
const closedBoth = ruleset({ rules: [rule("end", "in", "drop"), rule("oend", "out", "drop")] });

const v4 = { source: "198.51.100.7", destination: "192.0.2.1" } as const;
const v6 = { source: "2001:db8::7", destination: "2001:db8:1::1" } as const;
const linkLocal = { source: "fe80::1", destination: "fe80::2" } as const;
const input = (what: object): Packet => ({
  hook: "input",
  iif: "eth0",
  ...v4,
  protocol: "tcp",
  port: 443,
  state: "new",
  ...what,
});
const output = (what: object): Packet => ({
  hook: "output",
  oif: "eth0",
  ...v4,
  protocol: "tcp",
  port: 443,
  state: "new",
  ...what,
});
const icmp = (icmpType: number) => ({ protocol: "icmp", icmpType });
const brief = ({ verdict, row }: PacketVerdict) => `${verdict} ${row ?? "-"}`;
const guard: PacketGuard = {
  management: {
    interfaces: ["mgmt0"],
    allow: [{ cidr: "198.51.100.0/24", proto: "tcp", port: 22 }],
  },
};

describe("host scope, before any rule", () => {
  test.each<[string, Packet, string]>([
    ["loopback", input({ iif: "lo" }), "accept -"],
    ["replies", input({ state: "established" }), "accept -"],
    ["related packets", input({ state: "related" }), "accept -"],
    ["invalid packets", input({ state: "invalid" }), "drop -"],
    ["a new connection", input({}), "drop test/row#end"],
    ["an untracked packet", input({ state: "untracked" }), "drop test/row#end"],
    ["an IPv4 ping", input(icmp(8)), "accept -"],
    ["an IPv4 destination-unreachable", input(icmp(3)), "accept -"],
    ["an IPv4 redirect", input(icmp(5)), "drop test/row#end"],
    ["an IPv6 ping", input({ ...v6, ...icmp(128) }), "accept -"],
    ["an IPv6 packet-too-big", input({ ...v6, ...icmp(2) }), "accept -"],
    [
      "a neighbour solicitation",
      input({ ...linkLocal, ...icmp(135), state: "untracked" }),
      "accept -",
    ],
    ["an MLDv2 report", input({ ...linkLocal, ...icmp(143), state: "untracked" }), "accept -"],
    ["an ICMPv6 redirect", input({ ...linkLocal, ...icmp(137) }), "drop test/row#end"],
    ["an ICMP type of the other family", input(icmp(135)), "drop test/row#end"],
    ["a DHCP answer", input({ protocol: "udp", sourcePort: 67, port: 68 }), "accept -"],
    [
      "a datagram to port 68 from elsewhere",
      input({ protocol: "udp", sourcePort: 53, port: 68 }),
      "drop test/row#end",
    ],
    [
      "a DHCPv6 answer",
      input({ ...linkLocal, protocol: "udp", sourcePort: 547, port: 546 }),
      "accept -",
    ],
    [
      "a DHCPv6 answer from another port and from a global address",
      input({ ...v6, destination: "fe80::2", protocol: "udp", sourcePort: 49_152, port: 546 }),
      "accept -",
    ],
    [
      "a DHCPv6 answer to an address that is not its link's",
      input({ ...v6, protocol: "udp", sourcePort: 547, port: 546 }),
      "drop test/row#end",
    ],
    [
      "an echo reply from a neighbour, which conntrack did not wait for",
      input({ ...linkLocal, ...icmp(129), state: "invalid" }),
      "accept -",
    ],
    [
      "an echo reply from beyond the link",
      input({ ...v6, ...icmp(129), state: "invalid" }),
      "drop -",
    ],
    ["an IGMP query", input({ destination: "224.0.0.1", protocol: "igmp", ttl: 1 }), "accept -"],
    [
      "an IGMP query from beyond the link",
      input({ destination: "224.0.0.1", protocol: "igmp", ttl: 2 }),
      "drop test/row#end",
    ],
    ["IGMP to this host alone", input({ protocol: "igmp", ttl: 1 }), "drop test/row#end"],
  ])("judges %s", (_, packet, expected) => {
    expect(brief(simulate(closedIn, packet))).toBe(expected);
  });

  test.each<[string, Packet, string]>([
    ["anything by a management interface", input({ iif: "mgmt0", state: "invalid" }), "accept -"],
    ["a management flow", input({ port: 22 }), "accept -"],
    [
      "a management flow that conntrack calls invalid",
      input({ port: 22, state: "invalid" }),
      "accept -",
    ],
    [
      "the management port from another network",
      input({ port: 22, source: "203.0.113.7" }),
      "drop test/row#end",
    ],
    ["the management network at another port", input({ port: 23 }), "drop test/row#end"],
    [
      "the management port over the other protocol",
      input({ port: 22, protocol: "udp" }),
      "drop test/row#end",
    ],
  ])("with a guard, judges %s", (_, packet, expected) => {
    expect(brief(simulate(closedIn, packet, guard))).toBe(expected);
  });

  test("output is left alone until a rule limits it", () => {
    expect(brief(simulate(closedIn, output({})))).toBe("accept -");
    expect(brief(simulate(closedBoth, output({})))).toBe("drop test/row#oend");
  });

  test.each<[string, Packet]>([
    ["loopback", output({ oif: "lo" })],
    ["replies", output({ state: "established" })],
    ["a neighbour solicitation", output({ ...linkLocal, ...icmp(135), state: "untracked" })],
    ["a DHCP request", output({ protocol: "udp", sourcePort: 68, port: 67 })],
    ["an IGMP report", output({ destination: "224.0.0.22", protocol: "igmp", ttl: 1 })],
    ["a DHCPv6 request", output({ ...linkLocal, protocol: "udp", sourcePort: 546, port: 547 })],
  ])("limited output still sends %s", (_, packet) => {
    expect(brief(simulate(closedBoth, packet))).toBe("accept -");
  });

  test("without a host scope nothing else comes in, and what goes out is left alone", () => {
    expect(brief(simulate(ruleset({ scopes: [] }), input({})))).toBe("drop -");
    expect(brief(simulate(ruleset({ scopes: [] }), output({})))).toBe("accept -");
  });
});

describe("matches", () => {
  const accepts = (rest: Partial<Rule>, packet: Packet, parts: Partial<Ruleset> = {}) =>
    simulate(
      ruleset({ ...parts, rules: [rule("m", "in", "accept", rest), rule("end", "in", "drop")] }),
      packet,
    ).row === "test/row#m";
  const tcp = (from: number, to: number): Partial<Rule> => ({
    protocol: {
      kind: "tcp",
      ports: { kind: "ranges", ranges: [{ from, to }] },
      sourcePorts: { kind: "any" },
    },
  });

  test("ports are inclusive ranges of the destination port, of that protocol only", () => {
    expect(accepts(tcp(443, 444), input({}))).toBe(true);
    expect(accepts(tcp(442, 443), input({}))).toBe(true);
    expect(accepts(tcp(444, 500), input({}))).toBe(false);
    expect(accepts(tcp(443, 443), input({ protocol: "udp" }))).toBe(false);
    expect(
      accepts(
        { protocol: { kind: "udp", ports: { kind: "any" }, sourcePorts: { kind: "any" } } },
        input({ protocol: "udp" }),
      ),
    ).toBe(true);
    expect(
      accepts({ protocol: { kind: "icmp", types: null } }, input({ ...v6, ...icmp(200) })),
    ).toBe(true);
    expect(accepts({ protocol: { kind: "icmp", types: null } }, input({ protocol: "other" }))).toBe(
      false,
    );
  });

  test("a state is the kernel's own: new is not untracked", () => {
    expect(accepts({ state: "new" }, input({}))).toBe(true);
    expect(accepts({ state: "new" }, input({ state: "untracked" }))).toBe(false);
  });

  test("networks hold their addresses, addresses hold themselves, and an empty set holds nothing", () => {
    const of = (kind: "addresses" | "networks", ...elements: string[]) => ({
      sets: [{ name: "s", kind, elements }],
    });
    const source: Partial<Rule> = { source: { kind: "set", set: "s" } };
    expect(accepts(source, input({}), of("networks", "198.51.100.0/24"))).toBe(true);
    expect(accepts(source, input({}), of("networks", "0.0.0.0/0"))).toBe(true);
    expect(accepts(source, input(v6), of("networks", "0.0.0.0/0"))).toBe(false);
    expect(accepts(source, input({}), of("networks", "203.0.113.0/24", "198.51.100.7"))).toBe(true);
    expect(accepts(source, input({}), of("addresses", "198.51.100.7"))).toBe(true);
    expect(accepts(source, input({}), of("addresses"))).toBe(false);
    expect(
      accepts({ destination: { kind: "set", set: "s" } }, input({}), of("addresses", "192.0.2.1")),
    ).toBe(true);
  });
});

describe("overlays", () => {
  const overlay = (name: string, interfaceName: string) =>
    ({ kind: "overlay", name, interfaces: [interfaceName], subnets: ["10.8.0.0/24"] }) as const;
  const both = (aOut: Rule["verdict"], bIn: Rule["verdict"]): Ruleset =>
    ruleset({
      scopes: [overlay("a", "tun0"), overlay("b", "tun1")].map((scope) => ({
        ...scope,
        interfaces: [...scope.interfaces],
        subnets: [...scope.subnets],
      })),
      rules: (["a", "b"] as const).flatMap((name) =>
        (["peer", "out", "in"] as const).map((direction) =>
          rule(
            `${name}/${direction}`,
            direction,
            direction === "out" ? aOut : direction === "in" ? bIn : "drop",
            {
              section: "end",
              scope: `overlay/${name}`,
              counter: `r_${name}_${direction}`,
            },
          ),
        ),
      ),
    });
  const between: Packet = {
    hook: "forward",
    iif: "tun0",
    oif: "tun1",
    source: "10.8.0.2",
    destination: "10.8.0.3",
    protocol: "other",
    state: "new",
  };

  test.each([
    ["accept", "accept", "accept", "test/row#b/in", "c_ingress"],
    ["accept", "drop", "drop", "test/row#b/in", "c_ingress"],
    ["accept", "reject", "reject", "test/row#b/in", "c_ingress"],
    ["drop", "accept", "drop", "test/row#a/out", "c_egress"],
    ["reject", "drop", "reject", "test/row#a/out", "c_egress"],
  ] as const)(
    "between two, %s on leaving and %s on entering is %s",
    (aOut, bIn, verdict, row, tally) => {
      expect(simulate(both(aOut, bIn), between)).toMatchObject({ verdict, row, tally });
    },
  );

  test("a direction that no rule decides, which its type forbids, drops", () => {
    const undecided = { ...both("accept", "accept"), rules: [] };
    expect(simulate(undecided, between)).toEqual({
      verdict: "drop",
      row: null,
      rule: null,
      tally: "c_egress",
    });
  });

  test("refuses a packet of two families rather than judging it", () => {
    expect(() =>
      simulate(both("accept", "accept"), { ...between, destination: "fd00::1" }),
    ).toThrow(RangeError);
    expect(() => simulate(both("accept", "accept"), { ...between, source: "10.8.0.02" })).toThrow(
      RangeError,
    );
  });
});
