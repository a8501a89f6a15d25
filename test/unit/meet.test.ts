/** What a host is given between two releases, by example: what both allow, no more, and nothing of it less. */
import { describe, expect, test } from "vitest";
import { compile } from "#core/compile/index.ts";
import { covers } from "#core/compile/covers.ts";
import { meet } from "#core/compile/meet.ts";
import { encodeBundle } from "#schema/bundle.ts";
import { parseUnixSeconds } from "#schema/time.ts";
import { Ruleset } from "#schema/ruleset.ts";
import type { Packet } from "#core/simulate/index.ts";
import { prepare } from "#core/simulate/index.ts";
import type { WrittenRow } from "../support/intent.ts";
import { snapshotOf } from "../support/intent.ts";
import { ruleOf, rulesetOf } from "../support/rulesets.ts";

type Grant = Extract<WrittenRow, { readonly kind: "service" }>["body"]["ingress"][number];

const host: WrittenRow = { kind: "host", key: "box", body: { roles: ["web"] } };
const zone = (key: string, ...cidrs: string[]): WrittenRow => ({
  kind: "zone",
  key,
  body: { cidrs },
});
const zones = [zone("lan", "10.0.0.0/16", "fd00::/48"), zone("mgmt", "10.0.9.0/24", "10.9.0.0/24")];
const web = (...ingress: Grant[]): WrittenRow => ({
  kind: "service",
  key: "web",
  body: { ingress },
});

function compiled(...rows: readonly WrittenRow[]): Ruleset {
  const result = compile(snapshotOf([host, ...rows]));
  const ruleset = result.ok ? result.rulesets.get("box") : undefined;
  if (ruleset === undefined) throw new Error(JSON.stringify(result));
  return ruleset;
}

const tcp = (port: number | string, from = "lan", expires_at?: string): Grant => ({
  from,
  port,
  proto: "tcp",
  ...(expires_at === undefined ? {} : { expires_at }),
});

describe("what a change takes, and what it gives", () => {
  const plain = [tcp(443)];
  test.each<[string, readonly Grant[], readonly Grant[], { takes: boolean; gives: boolean }]>([
    ["the same port as a range", plain, [tcp("443-443")], { takes: false, gives: false }],
    ["a wider range", plain, [tcp("443-444")], { takes: false, gives: true }],
    ["a narrower range", [tcp("443-444")], plain, { takes: true, gives: false }],
    [
      "a range in two parts",
      [tcp("440-445")],
      [tcp("440-442"), tcp("443-445")],
      { takes: false, gives: false },
    ],
    ["a port as a macro", plain, [{ from: "lan", macro: "https" }], { takes: false, gives: false }],
    [
      "a macro of two",
      plain,
      [{ from: "lan", macro: "https-quic" }],
      { takes: false, gives: true },
    ],
    [
      "a later end",
      [tcp(443, "lan", "2030-01-01T00:00:00Z")],
      [tcp(443, "lan", "2031-01-01T00:00:00Z")],
      { takes: false, gives: true },
    ],
    ["an end", plain, [tcp(443, "lan", "2031-01-01T00:00:00Z")], { takes: true, gives: false }],
    ["a network in place of everybody", [tcp(443, "any")], plain, { takes: true, gives: false }],
    ["everybody in place of a network", plain, [tcp(443, "any")], { takes: false, gives: true }],
    [
      "a network said in halves",
      [tcp(443, "10.0.0.0/15")],
      [tcp(443, "10.0.0.0/16"), tcp(443, "10.1.0.0/16")],
      { takes: false, gives: false },
    ],
    ["another reason", plain, [{ ...tcp(443), reason: "because" }], { takes: false, gives: false }],
    ["another port", plain, [tcp(444)], { takes: true, gives: true }],
    ["another network", plain, [tcp(443, "mgmt")], { takes: true, gives: true }],
  ])("%s", (_, before, after, expected) => {
    const [old, next] = [compiled(...zones, web(...before)), compiled(...zones, web(...after))];
    expect({ takes: !covers(next, old), gives: !covers(old, next) }).toEqual(expected);
    const both = encodeBundle(meet(old, next));
    if (!expected.takes && expected.gives) expect(both).toEqual(encodeBundle(old));
    if (expected.takes && !expected.gives) expect(both).toEqual(encodeBundle(next));
  });
});

/** TCP packets to `box` that a ruleset accepts, as `source port`, at a time. */
function open(
  ruleset: Ruleset,
  sources: readonly string[],
  ports: readonly number[],
  time = "2027-01-01T00:00:00Z",
) {
  const judge = prepare(Ruleset.parse(ruleset));
  const at = parseUnixSeconds(time) ?? 0;
  return sources.flatMap((source) =>
    ports.flatMap((port) => {
      const destination = source.includes(":") ? "2001:db8::1" : "192.0.2.1";
      const packet: Packet = {
        hook: "input",
        iif: "eth0",
        protocol: "tcp",
        port,
        source,
        destination,
        state: "new",
        at,
      };
      return judge(packet).verdict === "accept" ? [`${source} ${port}`] : [];
    }),
  );
}

describe("a host between two releases", () => {
  const [near, both, far] = ["10.0.1.1", "10.0.9.1", "10.9.0.1"];
  const sources = [near, both, far, "192.0.2.9", "fd00::1", "fd01::1"];

  test("keeps the ports, sources and time that two grants share", () => {
    const old = compiled(...zones, web(tcp("400-500", "any", "2030-01-01T00:00:00Z"), tcp(22)));
    const next = compiled(...zones, web(tcp("450-600", "lan", "2031-01-01T00:00:00Z"), tcp(23)));
    const met = meet(old, next);
    const ports = [22, 23, 399, 449, 450, 500, 501];
    const within = [near, both, "fd00::1"].flatMap((source) => [`${source} 450`, `${source} 500`]);
    expect(open(met, sources, ports)).toEqual(within);
    expect(open(met, sources, ports, "2029-12-31T23:59:59Z")).toEqual(within);
    expect(open(met, sources, ports, "2030-01-01T00:00:00Z")).toEqual([]);
  });

  test("knows a zone that changed as before, as after and as both, where rows mean one of them", () => {
    const services = (...grants: Grant[]): WrittenRow => ({
      kind: "service",
      key: "more",
      body: { ingress: grants, to: ["role:web"] },
    });
    const wide = zone("lan", "10.0.0.0/16");
    const moved = zone("lan", "10.0.9.0/24", "10.9.0.0/24");
    const old = compiled(wide, web(tcp(22)), services(tcp(80, "any"), tcp(81)));
    const next = compiled(moved, web(tcp(22)), services(tcp(80), tcp(81, "any")));
    const expected = [`${near} 81`, `${both} 22`, `${both} 80`, `${both} 81`, `${far} 80`];
    expect(open(meet(old, next), [near, both, far, "192.0.2.9"], [22, 80, 81]).toSorted()).toEqual(
      expected.toSorted(),
    );
  });

  test("counts in the row whose meaning a rule has", () => {
    const rowOf = (ruleset: Ruleset, port: number) =>
      ruleset.rules.find(
        ({ protocol }) =>
          protocol.kind === "tcp" &&
          protocol.ports.kind === "ranges" &&
          protocol.ports.ranges[0]?.from === port,
      )?.row;
    const old = compiled(...zones, web(tcp(443, "any"), tcp(22)));
    const next = compiled(...zones, web(tcp(443), tcp(23)));
    expect(rowOf(meet(old, next), 443)).toBe(rowOf(next, 443));
    expect(meet(old, next).rules.map(({ verdict }) => verdict)).toEqual(["accept", "drop"]);
  });

  test("asks for the state that either asks for", () => {
    const scopes = [{ kind: "host" as const }];
    const accept = (state: "any" | "new" | "established", port: number) =>
      ruleOf({
        scope: "host",
        direction: "in",
        verdict: "accept",
        counter: `r_${state}_${port}`,
        row: `services/x#${state}${port}`,
        state,
        protocol: {
          kind: "tcp",
          ports: { kind: "ranges", ranges: [{ from: port, to: port }] },
          sourcePorts: { kind: "any" },
        },
      });
    const old = rulesetOf({
      scopes,
      rules: [accept("new", 1), accept("any", 2), accept("new", 3)],
    });
    const next = rulesetOf({
      scopes,
      rules: [accept("any", 1), accept("established", 2), accept("established", 3)],
    });
    const states = meet(old, next).rules.map(
      ({ state, protocol }) =>
        `${state} ${JSON.stringify(protocol).replaceAll(/\D+/g, " ").trim()}`,
    );
    expect(states.slice(0, -1)).toEqual(["established 2 2", "new 1 1"]);
  });
});

describe("a gateway between two releases", () => {
  const addresses = {
    alice: "10.8.0.2",
    bob: "10.8.0.3",
    carol: "10.8.1.4",
    dave: "10.8.1.5",
    eve: "10.8.2.6",
    frank: "10.8.2.7",
  } as const;
  type Name = keyof typeof addresses;
  const names = Object.keys(addresses) as Name[];
  const gateway = (
    groups: Readonly<Partial<Record<Name, string>>>,
    over: Partial<Extract<WrittenRow, { readonly kind: "overlay" }>["body"]> = {},
    ...more: readonly WrittenRow[]
  ): Ruleset =>
    compiled(
      {
        kind: "overlay",
        key: "office",
        body: {
          host: "box",
          interfaces: ["tun0"],
          subnets: ["10.8.0.0/16"],
          policy: "group-based",
          groups: [...new Set(Object.values(groups))],
          ...over,
        },
      },
      ...Object.entries(groups).map(([cn, group]): WrittenRow => ({
        kind: "member",
        key: `office/${cn}`,
        body: { group, addresses: [addresses[cn as Name]] },
      })),
      ...more,
    );
  /** Who may reach whom by the tunnel, as `alice>bob`. */
  const reached = (ruleset: Ruleset): readonly string[] => {
    const judge = prepare(Ruleset.parse(ruleset));
    return names.flatMap((from) =>
      names.flatMap((to) => {
        const ends = { source: addresses[from], destination: addresses[to] };
        const packet: Packet = {
          hook: "forward",
          iif: "tun0",
          oif: "tun0",
          protocol: "icmp",
          icmpType: 8,
          state: "new",
          ...ends,
        };
        return from !== to && judge(packet).verdict === "accept" ? [`${from}>${to}`] : [];
      }),
    );
  };
  const common = (a: Ruleset, b: Ruleset): readonly string[] =>
    reached(a).filter((pair) => reached(b).includes(pair));

  test.each<[string, Ruleset, Ruleset, readonly string[]]>([
    [
      "two who move to another group together keep each other, and get nobody new",
      gateway({ alice: "dev", bob: "dev", carol: "dev", dave: "ops" }),
      gateway({ alice: "ops", bob: "ops", carol: "dev", dave: "ops" }),
      ["alice>bob", "bob>alice"],
    ],
    [
      "two pairs that change places",
      gateway({ alice: "dev", bob: "dev", carol: "ops", dave: "ops" }),
      gateway({ alice: "ops", bob: "ops", carol: "dev", dave: "dev" }),
      ["alice>bob", "bob>alice", "carol>dave", "dave>carol"],
    ],
    [
      "two that both had a reason for one group's name",
      gateway({ alice: "dev", bob: "dev", carol: "ops", dave: "ops", eve: "ops" }),
      gateway({ alice: "ops", bob: "ops", frank: "ops", carol: "dev", dave: "dev" }),
      ["alice>bob", "bob>alice", "carol>dave", "dave>carol"],
    ],
    [
      "a group under another name",
      gateway({ alice: "dev", bob: "dev", carol: "ops" }),
      gateway({ alice: "makers", bob: "makers", carol: "makers" }),
      ["alice>bob", "bob>alice"],
    ],
    [
      "subnets that became smaller, where each subnet is a group",
      gateway(
        { alice: "dev" },
        { policy: "same-subnet", subnets: ["10.8.0.0/16"] },
        web(tcp(1, "any")),
      ),
      gateway(
        { alice: "dev" },
        { policy: "same-subnet", subnets: ["10.8.0.0/24"] },
        web(tcp(2, "any")),
      ),
      ["alice>bob", "bob>alice"],
    ],
    [
      "subnets that were cut in two",
      gateway({}, { policy: "same-subnet", subnets: ["10.8.0.0/16"] }, web(tcp(1, "any"))),
      gateway(
        {},
        { policy: "same-subnet", subnets: ["10.8.0.0/24", "10.8.1.0/24"] },
        web(tcp(2, "any")),
      ),
      ["alice>bob", "bob>alice", "carol>dave", "dave>carol"],
    ],
    [
      "groups in place of subnets",
      gateway({}, { policy: "same-subnet", subnets: ["10.8.0.0/24", "10.8.1.0/24"] }),
      gateway(
        { alice: "dev", bob: "dev", carol: "dev", dave: "ops" },
        { subnets: ["10.8.0.0/24", "10.8.1.0/24"] },
      ),
      ["alice>bob", "bob>alice"],
    ],
  ])("%s", (_, old, next, expected) => {
    expect(common(old, next)).toEqual(expected);
    expect(reached(meet(old, next))).toEqual(expected);
  });

  test("subnets that one side alone knows are not joined to one: their members stay apart", () => {
    const peers = { policy: "same-subnet", interfaces: ["tun0", "tun1"] } as const;
    const halves = ["10.8.0.0/24", "10.8.1.0/24", "10.9.0.0/24"];
    const old = gateway(
      {},
      { ...peers, interfaces: ["tun1"], subnets: ["10.9.0.0/24"] },
      web(tcp(1, "any")),
    );
    const next = gateway({}, { ...peers, subnets: halves }, web(tcp(2, "any")));
    expect(common(old, next)).toEqual(["alice>bob", "bob>alice", "carol>dave", "dave>carol"]);
    expect(reached(meet(old, next))).toEqual(common(old, next));
  });

  /** What `box` takes at port 443, as `interface source`. */
  const taken = (ruleset: Ruleset): readonly string[] => {
    const judge = prepare(Ruleset.parse(ruleset));
    return ["tun0", "tun1", "eth0"].flatMap((iif) =>
      ["10.8.0.2", "10.8.1.4", "10.9.0.2", "198.51.100.7", "169.254.1.1"].flatMap((source) => {
        const ends = { source, destination: "192.0.2.1" };
        const { verdict } = judge({
          hook: "input",
          iif,
          protocol: "tcp",
          port: 443,
          state: "new",
          ...ends,
        });
        return verdict === "accept" ? [`${iif} ${source}`] : [];
      }),
    );
  };
  const less = web(tcp(443, "any"), tcp(1));
  const more = web(tcp(443, "any"), tcp(2));

  test.each<[string, Ruleset, Ruleset]>([
    [
      "other subnets",
      gateway({}, {}, ...zones, less),
      gateway({}, { subnets: ["10.8.1.0/24", "10.9.0.0/16"] }, ...zones, more),
    ],
    [
      "one tunnel more",
      gateway({}, {}, ...zones, less),
      gateway({}, { interfaces: ["tun0", "tun1"] }, ...zones, more),
    ],
    [
      "another tunnel",
      gateway({}, {}, ...zones, less),
      gateway({}, { interfaces: ["tun1"] }, ...zones, more),
    ],
    ["an overlay that was not there", compiled(...zones, less), gateway({}, {}, ...zones, more)],
  ])("takes nothing that one of two releases takes for spoofed: %s", (_, old, next) => {
    const both = taken(old).filter((each) => taken(next).includes(each));
    expect(taken(meet(old, next))).toEqual(both);
    expect([covers(old, next), covers(next, old)]).toEqual([false, false]);
  });

  test("an overlay that is new takes what came from its addresses by other ways", () => {
    const [old, next] = [compiled(...zones, less), gateway({}, {}, ...zones, less)];
    expect([covers(old, next), covers(next, old)]).toEqual([true, false]);
    const elsewhere = web(tcp(443, "198.51.100.0/24"));
    expect(covers(gateway({}, {}, elsewhere), compiled(elsewhere))).toBe(false);
  });

  test("a group that one member of many leaves covers what is left, and not what was", () => {
    const [all, fewer] = [
      gateway({ alice: "dev", bob: "dev", carol: "dev" }),
      gateway({ alice: "dev", bob: "dev", carol: "ops" }),
    ];
    expect([covers(all, fewer), covers(fewer, all)]).toEqual([true, false]);
    const [split, joined] = [
      gateway({ alice: "dev", bob: "dev", carol: "ops", dave: "ops" }),
      gateway({ alice: "dev", bob: "dev", carol: "dev", dave: "dev" }),
    ];
    expect([covers(joined, split), covers(split, joined)]).toEqual([true, false]);
  });

  test("who reaches all that another one reaches covers nobody but himself", () => {
    const set = (name: string, ...elements: string[]) => ({
      name,
      kind: "addresses" as const,
      elements,
    });
    const peers = (...pairs: readonly (readonly [string, string])[]): Ruleset =>
      rulesetOf({
        scopes: [
          { kind: "overlay", name: "office", interfaces: ["tun0"], subnets: ["10.8.0.0/16"] },
        ],
        sets: [set("g_a", "10.8.0.2"), set("g_ab", "10.8.0.2", "10.8.0.3"), set("g_b", "10.8.0.3")],
        rules: pairs.map(([source, destination]) =>
          ruleOf({
            scope: "overlay/office",
            direction: "peer",
            source: { kind: "set", set: source },
            destination: { kind: "set", set: destination },
            verdict: "accept",
            counter: `r_${source}_${destination}`,
          }),
        ),
      });
    const all = peers(["g_ab", "g_ab"]);
    expect(covers(peers(["g_a", "g_ab"], ["g_b", "g_a"]), all)).toBe(false);
    expect(covers(peers(["g_a", "g_ab"], ["g_b", "g_a"], ["g_b", "g_b"]), all)).toBe(true);
  });
});
