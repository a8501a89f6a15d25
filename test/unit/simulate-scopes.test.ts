/** What the members of the language mean that no backend carries out yet: later ones are held against these. */
import { describe, expect, test } from "vitest";
import { render } from "#core/render/index.ts";
import { type Packet, simulate } from "#core/simulate/index.ts";
import type { Rule, Ruleset, Scope } from "#schema/ruleset.ts";
import { ruleOf, rulesetOf, testGuard } from "#test/support/rulesets.ts";

const guest: Scope = {
  kind: "vnic",
  name: "vm1",
  device: "tap1",
  bridge: "br0",
  mac: "52:54:00:00:00:01",
  addresses: ["10.0.0.5", "fd00::5"],
  mode: "securitygroup",
};
const other: Scope = {
  ...guest,
  name: "vm2",
  device: "tap2",
  mac: "52:54:00:00:00:02",
  addresses: ["10.0.0.6"],
};
const endsOf = (scope: string, ...directions: readonly Rule["direction"][]): readonly Rule[] =>
  directions.map((direction) =>
    ruleOf({
      row: `x/${direction}#end`,
      scope,
      section: "end",
      layer: scope.startsWith("vnic/") ? "l2" : "l3",
      direction,
      verdict: "drop",
      counter: `r_${direction}`,
    }),
  );
const grant = (scope: string, said: Partial<Rule> & Pick<Rule, "direction">): Rule =>
  ruleOf({ row: "x/y#grant", scope, verdict: "accept", counter: "r_x", ...said });
const rulesetWith = (scopes: readonly Scope[], ...rules: readonly Rule[]): Ruleset => ({
  scopes: [...scopes],
  sets: [],
  classes: [],
  rules: [...rules],
});
const between = (said: Partial<Packet> = {}): Packet =>
  ({
    hook: "bridge",
    iif: "tap1",
    oif: "tap2",
    protocol: "tcp",
    port: 80,
    source: "10.0.0.5",
    destination: "10.0.0.6",
    state: "new",
    ...said,
  }) as Packet;

describe("a vNIC", () => {
  const open = rulesetWith(
    [guest, other],
    grant("vnic/vm1", { direction: "out", source: { kind: "own" } }),
    grant("vnic/vm1", { layer: "l2", direction: "out", protocol: { kind: "arp" } }),
    ...endsOf("vnic/vm1", "out", "in"),
    grant("vnic/vm2", { direction: "in", destination: { kind: "own" } }),
    grant("vnic/vm2", { layer: "l2", direction: "in", protocol: { kind: "arp" } }),
    ...endsOf("vnic/vm2", "out", "in"),
  );

  test.each<readonly [string, Packet, string]>([
    ["sends what both judges accept", between(), "accept"],
    ["sends ARP by a rule of layer l2", between({ protocol: "arp" }), "accept"],
    ["is not heard as somebody else", between({ source: "10.0.0.7" }), "drop"],
    ["is not heard by another MAC", between({ mac: "52:54:00:00:00:09" }), "drop"],
    [
      "is not sent what its own rules refuse",
      between({ iif: "tap2", oif: "tap1", source: "10.0.0.6" }),
      "drop",
    ],
    ["is judged where it is routed, too", between({ hook: "forward", oif: "eth0" }), "accept"],
  ])("%s", (_, packet, verdict) => {
    expect(simulate(open, packet).verdict).toBe(verdict);
  });

  test("in mode l2overlay is held to its MAC alone, and with passthrough to nothing", () => {
    const mode = (own: "l2overlay" | "passthrough"): Ruleset => ({
      ...open,
      scopes: [{ ...guest, mode: own } as Scope],
      rules: own === "passthrough" ? [] : [grant("vnic/vm1", { direction: "out" })],
    });
    const away = { oif: "eth0" };
    const foreign = between({ ...away, source: "10.9.9.9" });
    const masked = between({ ...away, mac: "52:54:00:00:00:09" });
    expect(simulate(mode("l2overlay"), foreign).verdict).toBe("accept");
    expect(simulate(mode("l2overlay"), masked).verdict).toBe("drop");
    expect(simulate(mode("passthrough"), masked).verdict).toBe("accept");
  });
});

describe("a network of containers", () => {
  const net = (said: Partial<Extract<Scope, { kind: "network" }>> = {}): Ruleset =>
    rulesetWith(
      [
        {
          kind: "network",
          name: "web",
          bridge: "br-web",
          subnets: ["172.18.0.0/16"],
          inside: "open",
          egress: "routed",
          ...said,
        },
      ],
      grant("network/web", { direction: "out" }),
      ...endsOf("network/web", "out", "in"),
    );
  const way = (iif: string, oif: string): Packet => between({ hook: "forward", iif, oif });

  test("lets its members talk as inside says, and out as its rules and egress say", () => {
    expect(simulate(net(), way("br-web", "br-web")).verdict).toBe("accept");
    expect(simulate(net({ inside: "isolated" }), way("br-web", "br-web")).verdict).toBe("drop");
    expect(simulate(net(), way("br-web", "eth0")).verdict).toBe("accept");
    expect(simulate(net({ egress: "none" }), way("br-web", "eth0")).verdict).toBe("drop");
    expect(simulate(net(), way("eth0", "br-web"))).toMatchObject({
      verdict: "drop",
      row: "x/in#end",
    });
  });
});

describe("a pair of zones", () => {
  const pair = rulesetWith(
    [{ kind: "zone-pair", from: "lan", to: "wan", interfaces: { from: ["eth1"], to: ["eth0"] } }],
    grant("zone-pair/lan/wan", {
      direction: "peer",
      protocol: { kind: "tcp", ports: { kind: "any" }, sourcePorts: { kind: "any" } },
    }),
    ...endsOf("zone-pair/lan/wan", "peer"),
  );
  const way = (iif: string, oif: string, said: Partial<Packet> = {}): Packet =>
    between({ hook: "forward", iif, oif, ...said });

  test("is judged one way, and leaves everything else alone", () => {
    expect(simulate(pair, way("eth1", "eth0"))).toMatchObject({
      verdict: "accept",
      row: "x/y#grant",
    });
    expect(simulate(pair, way("eth1", "eth0", { protocol: "other" })).verdict).toBe("drop");
    expect(simulate(pair, way("eth0", "eth1"))).toMatchObject({ verdict: "accept", row: null });
  });
});

describe("a condition", () => {
  const judge = (said: Partial<Rule>, packet: Partial<Packet>): string =>
    simulate(
      rulesetOf({
        scopes: [{ kind: "host" }],
        sets: [
          { name: "n_a", kind: "networks", elements: ["10.0.0.0/8"] },
          { name: "n_b", kind: "addresses", elements: ["10.0.0.5"] },
        ],
        rules: [grant("host", { direction: "in", ...said })],
      }),
      between({ hook: "input", iif: "eth0", ...packet }),
    ).verdict;

  test.each<readonly [Partial<Rule>, Partial<Packet>, string]>([
    [{ arrives: ["eth0"] }, {}, "accept"],
    [{ arrives: ["eth1"] }, {}, "drop"],
    [{ from: 100 }, { at: 100 }, "accept"],
    [{ from: 100 }, { at: 99 }, "drop"],
    [{ rate: { newPerSecond: 1, burst: 1 } }, {}, "accept"],
    [{ rate: { newPerSecond: 1, burst: 1 } }, { exceedsRates: true }, "drop"],
    [{ source: { kind: "set-except", set: "n_a", except: "n_b" } }, {}, "drop"],
    [
      { source: { kind: "set-except", set: "n_a", except: "n_b" } },
      { source: "10.0.0.7" },
      "accept",
    ],
    [
      { protocol: { kind: "ip", number: 47 } },
      { protocol: "ip", number: 47 } as Partial<Packet>,
      "accept",
    ],
    [
      { protocol: { kind: "ip", number: 2 } },
      { protocol: "igmp", ttl: 9 } as Partial<Packet>,
      "accept",
    ],
    [{ protocol: { kind: "ip", number: 47 } }, { protocol: "other" }, "drop"],
    [
      {
        protocol: {
          kind: "udp",
          ports: { kind: "any" },
          sourcePorts: { kind: "ranges", ranges: [{ from: 53, to: 53 }] },
        },
      },
      { protocol: "udp", sourcePort: 53 } as Partial<Packet>,
      "accept",
    ],
    [
      {
        protocol: {
          kind: "udp",
          ports: { kind: "any" },
          sourcePorts: { kind: "ranges", ranges: [{ from: 53, to: 53 }] },
        },
      },
      { protocol: "udp" },
      "drop",
    ],
  ])("%j of %j: %s", (said, packet, verdict) => {
    expect(judge(said, packet)).toBe(verdict);
  });
});

test.each<readonly [string, Ruleset]>([
  [
    "x/y#grant: nft does not carry out a rate yet",
    rulesetOf({
      scopes: [{ kind: "host" }],
      rules: [grant("host", { direction: "in", rate: { newPerSecond: 1, burst: 1 } })],
    }),
  ],
  [
    "x/y#grant: nft does not carry out log yet",
    rulesetOf({
      scopes: [{ kind: "host" }],
      rules: [grant("host", { direction: "in", log: true })],
    }),
  ],
  [
    "x/out#end: nft does not carry out scope vnic/vm1 yet",
    rulesetWith([guest], ...endsOf("vnic/vm1", "out", "in")),
  ],
])("what a backend does not carry out is refused with its row: %s", (message, ruleset) => {
  expect(render(ruleset, testGuard)).toEqual({ ok: false, code: "render_unsupported", message });
});
