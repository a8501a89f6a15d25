/** What others hand on at prerouting, as nft 1.0.6 lists it. */
import { describe, expect, test } from "vitest";
import { describeRedirect, isRedirect, redirectsOf } from "#agent/backend/nft/redirects.ts";

const chain = (table: string, name: string, hook?: string) => ({
  chain: {
    family: "ip",
    table,
    name,
    ...(hook === undefined ? {} : { type: "nat", hook, prio: -100 }),
  },
});
const rule = (table: string, name: string, ...expr: readonly object[]) => ({
  rule: { family: "ip", table, chain: name, expr: [...expr] },
});
const is = (protocol: string, field: string, right: unknown, op = "==") => ({
  match: { op, left: { payload: { protocol, field } }, right },
});
const counter = { counter: { packets: 0, bytes: 0 } };
const notDocker = { match: { op: "!=", left: { meta: { key: "iifname" } }, right: "docker0" } };
const xtDnat = { xt: { type: "target", name: "DNAT" } };

/** Docker 20.10.24 with `-p 8090:80 -p 127.0.0.1:8091:81`, by iptables-nft 1.8.9. */
const docker = [
  chain("nat", "DOCKER"),
  chain("nat", "PREROUTING", "prerouting"),
  chain("nat", "OUTPUT", "output"),
  rule("nat", "PREROUTING", { xt: { type: "match", name: "addrtype" } }, counter, {
    jump: { target: "DOCKER" },
  }),
  rule(
    "nat",
    "DOCKER",
    notDocker,
    is("ip", "daddr", "127.0.0.1"),
    is("tcp", "dport", 8091),
    counter,
    xtDnat,
  ),
  rule("nat", "DOCKER", notDocker, is("tcp", "dport", 8090), counter, xtDnat),
];
const place = { family: "ip", table: "nat", chain: "DOCKER" } as const;
const whole = { ...place, protocol: "tcp", from: 8090, to: 8090, address: null } as const;

test("finds a port that Docker publishes, and not one on the loopback alone", () => {
  expect(redirectsOf(docker)).toEqual([whole]);
  expect(describeRedirect(whole)).toBe("tcp 8090 by ip nat DOCKER");
});

test("finds nothing in a chain that no prerouting chain leads to", () => {
  expect(
    redirectsOf(docker.filter((entry) => !("chain" in entry) || entry.chain.name !== "PREROUTING")),
  ).toEqual([]);
  expect(
    redirectsOf(docker.filter((entry) => JSON.stringify(entry).includes("jump") === false)),
  ).toEqual([]);
});

test.each<[string, readonly object[], readonly object[]]>([
  [
    "nft's own dnat",
    [is("udp", "dport", 53), { dnat: { addr: "10.0.0.2", port: 5353 } }],
    [{ protocol: "udp", from: 53, to: 53, address: null }],
  ],
  [
    "a redirect of some ports of one address",
    [
      is("ip", "daddr", "192.0.2.1"),
      is("tcp", "dport", { set: [80, { range: [8000, 8099] }] }),
      { redirect: { port: 3128 } },
    ],
    [
      { protocol: "tcp", from: 80, to: 80, address: "192.0.2.1" },
      { protocol: "tcp", from: 8000, to: 8099, address: "192.0.2.1" },
    ],
  ],
  [
    "a range of either protocol",
    [is("th", "dport", { range: [5000, 6000] }), { dnat: { addr: "10.0.0.2" } }],
    [{ protocol: null, from: 5000, to: 6000, address: null }],
  ],
  [
    "a protocol whole",
    [
      { match: { op: "==", left: { meta: { key: "l4proto" } }, right: "tcp" } },
      { dnat: { addr: "10.0.0.2" } },
    ],
    [{ protocol: "tcp", from: 0, to: 65_535, address: null }],
  ],
  [
    "everything but a port, which is said of every port",
    [is("tcp", "dport", 22, "!="), { dnat: { addr: "10.0.0.2" } }],
    [{ protocol: null, from: 0, to: 65_535, address: null }],
  ],
  ["a rule that translates nothing", [is("tcp", "dport", 22), { accept: null }], []],
  [
    "a source's translation",
    [is("tcp", "dport", 22), { xt: { type: "target", name: "MASQUERADE" } }],
    [],
  ],
])("reads %s", (_, expr, expected) => {
  const entries = [chain("nat", "pre", "prerouting"), rule("nat", "pre", ...expr)];
  expect(redirectsOf(entries)).toEqual(
    expected.map((each) => ({ family: "ip", table: "nat", chain: "pre", ...each })),
  );
});

test("ends, where chains jump in a circle, and names 256 at most", () => {
  const jump = (target: string) => ({ jump: { target } });
  const circle = [
    chain("nat", "a", "prerouting"),
    rule("nat", "a", jump("b")),
    rule("nat", "b", jump("a")),
    ...Array.from({ length: 300 }, (_, i) => rule("nat", "b", is("tcp", "dport", i + 1), xtDnat)),
  ];
  expect(redirectsOf(circle)).toHaveLength(256);
});

describe("a socket's packets are handed on", () => {
  const socket = (address: string, port = 8090, protocol = "tcp") => ({ protocol, address, port });
  const at = { ...whole, address: "192.0.2.1" };
  test.each([
    [whole, socket("0.0.0.0"), true],
    [whole, socket("::"), true],
    [whole, socket("192.0.2.1"), true],
    [whole, socket("2001:db8::1"), false],
    [whole, socket("0.0.0.0", 8091), false],
    [whole, socket("0.0.0.0", 8090, "udp"), false],
    [{ ...whole, protocol: null }, socket("0.0.0.0", 8090, "udp"), true],
    [{ ...whole, family: "inet" }, socket("2001:db8::1"), true],
    [{ ...whole, family: "ip6" }, socket("0.0.0.0"), false],
    [at, socket("192.0.2.1"), true],
    [at, socket("0.0.0.0"), true],
    [at, socket("192.0.2.2"), false],
  ] as const)("%j %j: %s", (redirect, listener, expected) => {
    expect(isRedirect(redirect, listener)).toBe(expected);
  });
});
