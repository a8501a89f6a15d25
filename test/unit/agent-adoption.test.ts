/** How a host begins, when its first enforcement is refused, and what it foresees of it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { admitFirst, mayEnforce, writeBeginning } from "#agent/cycle/adoption.ts";
import {
  endsOf,
  type Flow,
  makeFlowCheck,
  parseConnection,
  parseFlow,
  parseListener,
} from "#agent/flows/flows.ts";
import type { ForeignRedirect } from "#agent/backend/nft/redirects.ts";
import { parseGuard } from "#agent/guard/index.ts";
import type { Listener } from "#agent/observe/listeners.ts";
import { describeFlows, describeListeners, wouldBeCut } from "#agent/observe/outlook.ts";
import type { Protocol } from "#schema/ruleset.ts";
import { ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const own = new Map([
  ["127.0.0.1", "lo"],
  ["192.0.2.1", "eth0"],
  ["2001:db8::1", "eth0"],
  ["10.255.0.1", "mgmt0"],
]);

describe("how a host begins", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "portcullis-adoption-"))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("is to enforce where nothing is said, and to count where that is said or cannot be read", () => {
    expect(mayEnforce(directory)).toBe(true);
    writeBeginning(directory, "count");
    expect(mayEnforce(directory)).toBe(false);
    writeBeginning(directory, "enforce");
    expect(mayEnforce(directory)).toBe(true);
    writeFileSync(join(directory, "beginning"), "enf");
    expect(mayEnforce(directory)).toBe(false);
  });

  it("is of no account once it has committed", () => {
    writeBeginning(directory, "count");
    mkdirSync(join(directory, "slots", "a"), { recursive: true });
    writeFileSync(join(directory, "slots", "a", "seal"), "torn");
    expect(mayEnforce(directory)).toBe(true);
  });
});

describe("a first enforcement", () => {
  const plain = parseGuard("management:\n  interfaces: [mgmt0]\n");
  const preset = parseGuard("presets: [{ name: proxmox-node, cluster: [10.9.0.0/24] }]\n");

  it.each(["corosync", "pvedaemon", "pveproxy", "pveproxy worker"])(
    "is refused beside %s without the preset",
    (name) => {
      const refused = expect.objectContaining({ code: "preset_missing" }) as Error;
      expect(() => admitFirst(plain, ["sshd", name])).toThrow(refused);
      expect(() => admitFirst(preset, ["sshd", name])).not.toThrow();
    },
  );

  it("is not refused anywhere else", () => {
    expect(() => admitFirst(plain, ["sshd", "nginx", "pveproxyish"])).not.toThrow();
  });
});

const tcp = (port: number): Protocol => ({
  kind: "tcp",
  ports: { kind: "ranges", ranges: [{ from: port, to: port }] },
  sourcePorts: { kind: "any" },
});
const accept = { scope: "host", direction: "in", verdict: "accept" } as const;
const rules = {
  guard: {
    management: {
      interfaces: ["mgmt0"],
      allow: [{ cidr: "203.0.113.0/28", proto: "tcp", port: 22 } as const],
    },
  },
  ruleset: rulesetOf({
    scopes: [{ kind: "host" }],
    sets: [
      { name: "n_lan", kind: "networks", elements: ["198.51.100.0/24"] },
      { name: "n_none", kind: "networks", elements: [] },
    ],
    rules: [
      ruleOf({ ...accept, row: "services/web", protocol: tcp(443), counter: "r_web" }),
      ruleOf({
        ...accept,
        row: "services/lan",
        protocol: tcp(5432),
        source: { kind: "set", set: "n_lan" },
        counter: "r_lan",
      }),
      ruleOf({
        ...accept,
        row: "services/empty",
        protocol: tcp(6000),
        source: { kind: "set", set: "n_none" },
        counter: "r_empty",
      }),
    ],
  }),
};

describe("listeners", () => {
  const docker: readonly ForeignRedirect[] = [
    {
      family: "ip",
      table: "nat",
      chain: "DOCKER",
      protocol: "tcp",
      from: 8090,
      to: 8090,
      address: null,
    },
  ];
  const at = (port: number, address = "0.0.0.0"): Listener => ({
    protocol: "tcp",
    address,
    port,
    ephemeral: false,
    inode: port,
  });
  const foresee = (...listeners: readonly Listener[]) =>
    describeListeners(listeners, rules, own, new Map([[5432, "postgres"]]), docker);

  it("say who could still reach them, and what drops the others", () => {
    const [web, db, empty, ssh] = foresee(at(443), at(5432), at(6000), at(22));
    const end = { verdict: "drop", row: "overlays/test" };
    expect(web).toMatchObject({ admitted_by: ["services/web"], otherwise: { verdict: "accept" } });
    expect(db).toMatchObject({
      process: "postgres",
      admitted_by: ["services/lan"],
      otherwise: end,
    });
    expect(empty).toMatchObject({ process: null, admitted_by: [], otherwise: end });
    expect(ssh).toMatchObject({ admitted_by: ["guard"], otherwise: end });
    expect([web, db, empty, ssh].filter((one) => one !== undefined && wouldBeCut(one))).toEqual([
      empty,
    ]);
  });

  it("are cut by family: one that takes IPv6 alone is not reached by an IPv4 network", () => {
    const [v4, v6, both] = foresee(at(5432, "192.0.2.1"), at(5432, "2001:db8::1"), at(5432, "::"));
    expect([v4, v6, both].map((one) => one?.admitted_by)).toEqual([
      ["services/lan"],
      [],
      ["services/lan"],
    ]);
  });

  it("are not called cut where somebody else hands their packets on, in the families that are handed on", () => {
    const found = foresee(at(8090), at(8090, "::"), at(8090, "2001:db8::1"), at(8091));
    expect(found.map(({ redirected_by }) => redirected_by)).toEqual([
      ["ip nat DOCKER"],
      ["ip nat DOCKER"],
      [],
      [],
    ]);
    expect(found.filter(wouldBeCut)).toEqual(found.slice(2));
  });

  it("on a management interface keep everything", () => {
    expect(foresee(at(6000, "10.255.0.1"))[0]?.otherwise).toEqual({ verdict: "accept", row: null });
  });
});

describe("flows", () => {
  const sockets = [
    "LISTEN 0      511          *:6000        *:*    ",
    "LISTEN 0      128    0.0.0.0:22    0.0.0.0:*    ",
    "ESTAB  0      0      [::ffff:192.0.2.1]:6000 [::ffff:203.0.113.9]:40000",
    "ESTAB  0      0      192.0.2.1:41000 203.0.113.9:6000",
    "ESTAB  0      0      [2001:db8::1]:22 [2001:db8:9::9]:40001",
    "ESTAB  0      0      127.0.0.1:6000 127.0.0.1:40002",
    "TIME-WAIT 0   0      192.0.2.1:6000 203.0.113.9:40003",
    "nonsense",
  ];
  const listening = new Set(sockets.flatMap((line) => parseListener(line) ?? []));
  const connected = (...lines: readonly string[]) =>
    lines.flatMap((line) => parseConnection(line, listening) ?? []);
  const connections = connected(...sockets);
  const judge = makeFlowCheck(rules, undefined, 0);
  const cut = (flows: readonly Flow[]) =>
    flows.flatMap((flow) => judge(flow, { own, listening, by: () => "eth0" }) ?? []);

  it("are read from sockets, those to a listening port as begun by the peer", () => {
    expect([...listening]).toEqual([6000, 22]);
    expect(cut(connections).map(({ direction, port, peer }) => [direction, port, peer])).toEqual([
      ["in", 6000, "203.0.113.9"],
      ["in", 22, "2001:db8:9::9"],
    ]);
  });

  it("that conntrack met in the middle, by the server's word, are judged as what they are", () => {
    const met =
      "ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.1 dst=203.0.113.9 sport=6000 dport=40000 src=203.0.113.9 dst=192.0.2.1 sport=40000 dport=6000 [ASSURED] mark=0 use=1";
    const tracked = parseFlow(met);
    expect(tracked).toBeDefined();
    if (tracked === undefined) return;
    expect(cut([tracked])).toMatchObject([{ direction: "in", port: 6000, flow: tracked }]);
    expect(connections.map(endsOf).indexOf(endsOf(tracked))).toBe(0);
  });

  it("that are over are none", () => {
    for (const state of ["TIME_WAIT", "CLOSE"])
      expect(
        parseFlow(
          `ipv4     2 tcp      6 9 ${state} src=203.0.113.9 dst=192.0.2.1 sport=40000 dport=6000 src=192.0.2.1 dst=203.0.113.9 sport=6000 dport=40000 [ASSURED] mark=0 use=1`,
        ),
      ).toBeUndefined();
  });

  it("are told together when port, direction and row are the same", () => {
    const others = connected(
      ...sockets,
      "ESTAB 0 0 192.0.2.1:6000 198.51.100.7:4",
      "ESTAB 0 0 192.0.2.1:6000 198.51.100.7:5",
    );
    expect(describeFlows(cut(others), (_, port) => (port === 6000 ? "node" : null))).toMatchObject([
      { port: 22, process: null, flows: 1 },
      {
        port: 6000,
        process: "node",
        peers: ["198.51.100.7", "203.0.113.9"],
        flows: 3,
        row: "overlays/test",
      },
    ]);
  });
});
