import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  admit,
  guardReader,
  loadGuard,
  readSurroundings,
  parseGuard,
  proposeGuard,
} from "#agent/guard/index.ts";
import { emptyRuleset, type Rule, type Ruleset } from "#schema/ruleset.ts";
import { neverFromAny } from "#schema/guard.ts";
import { guardRefusals } from "#core/simulate/admission.ts";
import { groupsRuleset, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const directory = mkdtempSync(join(tmpdir(), "portcullis-guard-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const good =
  "management:\n  interfaces: [wg0]\n  allow:\n    - { cidr: 10.0.0.0/8, proto: tcp, port: 22 }\n";

test("reads a guard; its digest is of the content, not of comments or order", () => {
  const { guard, sha256 } = parseGuard(good);
  expect(guard.management.interfaces).toEqual(["wg0"]);
  const other =
    "# ours\nmanagement:\n  allow: [{ port: 22, proto: tcp, cidr: 10.0.0.0/8 }]\n  interfaces: [wg0]\n";
  expect(parseGuard(other).sha256).toBe(sha256);
  expect(parseGuard(good.replace("22", "23")).sha256).not.toBe(sha256);
});

test.each([
  ["an empty file", "", "guard file: /"],
  ["an empty management plane", "management: {}\n", "management"],
  ["empty lists", "management: { interfaces: [], allow: [] }\n", "management"],
  ["an unknown field", `${good}open: true\n`, "open"],
  ["a duplicate key", `${good}management: { interfaces: [eth0] }\n`, "line 5"],
  ["an alias", "management: { interfaces: &a [wg0] }\nlimits: *a\n", "no aliases"],
  ["a tag of its own", "management: !!js/function 'x'\n", "line 1"],
  ["host bits in a CIDR", good.replace("10.0.0.0/8", "10.0.0.1/8"), "/management/allow/0/cidr"],
  [
    "an interface name of 16 characters",
    good.replace("wg0", "abcdefghijklmnop"),
    "/management/interfaces/0",
  ],
  ["port 0", good.replace("22", "0"), "/management/allow/0/port"],
  ["every device", `${good}forward: { interfaces: ["*"] }\n`, "/forward/interfaces/0"],
  ["two documents", `${good}---\n${good}`, "guard file"],
])("refuses %s and says where", (_, text, where) => {
  expect(() => parseGuard(text)).toThrow(
    expect.objectContaining({
      code: "guard_invalid",
      message: expect.stringContaining(where) as string,
    }),
  );
});

test.each([0o622, 0o606, 0o666])("refuses a file that others may write (mode %o)", (mode) => {
  const path = join(directory, "guard.yaml");
  writeFileSync(path, good);
  chmodSync(path, mode);
  expect(() => loadGuard(path, undefined)).toThrow(
    expect.objectContaining({ code: "guard_invalid" }),
  );
  chmodSync(path, 0o644);
  expect(loadGuard(path, undefined).guard.management.allow).toHaveLength(1);
});

test("a reader at work follows the file, and refuses one that others may write though it says the same", () => {
  const path = join(directory, "read.yaml");
  const read = guardReader(path, "https://control.example");
  writeFileSync(path, good);
  const first = read();
  expect(read()).toBe(first);
  writeFileSync(path, good.replace("22", "23"));
  expect(read().guard.management.allow).toMatchObject([{ port: 23 }]);
  writeFileSync(path, "management: {}\n");
  expect(read).toThrow(expect.objectContaining({ code: "guard_invalid" }));
  writeFileSync(path, good.replace("22", "23"));
  chmodSync(path, 0o666);
  expect(read).toThrow(expect.objectContaining({ code: "guard_invalid" }));
  rmSync(path);
  expect(read).toThrow(expect.objectContaining({ code: "guard_invalid" }));
});

test("refuses a file that is not there, and a directory", () => {
  expect(() => loadGuard(join(directory, "none"), undefined)).toThrow(
    expect.objectContaining({ code: "guard_invalid" }),
  );
  expect(() => loadGuard(directory, undefined)).toThrow(
    expect.objectContaining({ code: "guard_invalid" }),
  );
});

test("what a host does when it cannot trust what it holds has defaults that stand in the digest", () => {
  const { guard, sha256 } = parseGuard(good);
  expect(guard).toMatchObject({
    on_failure: "last-good",
    on_expiry: "close",
    grace_hours: 72,
    confirm: { seconds: 60, probes: [] },
    never_accept_from_any: [...neverFromAny],
  });
  expect(parseGuard(`${good}on_expiry: close\ngrace_hours: 72\n`).sha256).toBe(sha256);
  expect(parseGuard(`${good}on_expiry: hold\n`).sha256).not.toBe(sha256);
});

test.each([
  ["a watchdog of 14 seconds", "confirm: { seconds: 14 }\n", "/confirm/seconds"],
  ["a watchdog of 601 seconds", "confirm: { seconds: 601 }\n", "/confirm/seconds"],
  [
    "a probe of another kind",
    "confirm: { probes: [{ kind: exec, host: a, port: 1 }] }\n",
    "/confirm/probes/0",
  ],
  [
    "a probe at no host's name",
    "confirm: { probes: [{ kind: tcp, host: -a, port: 1 }] }\n",
    "/confirm/probes/0",
  ],
  ["a choice that is none", "on_failure: open\n", "/on_failure"],
  ["half an hour, which has no canonical form", "grace_hours: 0.5\n", "/grace_hours"],
  ["a preset nobody knows", "presets: [{ name: laptop }]\n", "/presets/0"],
  [
    "a Proxmox node without its cluster's networks",
    "presets: [{ name: proxmox-node }]\n",
    "/presets/0",
  ],
])("refuses %s", (_, text, where) => {
  expect(() => parseGuard(good + text)).toThrow(
    expect.objectContaining({
      code: "guard_invalid",
      message: expect.stringContaining(where) as string,
    }),
  );
});

test.each(["0x16", "022", "2.2e1", "0o26", "+22", "22.0"])(
  "refuses port %s: a port is plain decimal, and readers of YAML differ in what else is one",
  (port) => {
    expect(() => parseGuard(good.replace("port: 22", `port: ${port}`))).toThrow(
      expect.objectContaining({
        code: "guard_invalid",
        message: expect.stringContaining(port) as string,
      }),
    );
  },
);

test("the preset of a Proxmox node opens its services to the cluster alone, and holds on expiry unless told", () => {
  const { guard } = parseGuard("presets: [{ name: proxmox-node, cluster: [10.9.0.0/24] }]\n");
  expect(guard.on_expiry).toBe("hold");
  expect(new Set(guard.management.allow.map(({ cidr }) => cidr))).toEqual(new Set(["10.9.0.0/24"]));
  expect(guard.management.allow).toContainEqual({ cidr: "10.9.0.0/24", proto: "tcp", port: 8006 });
  expect(guard.management.allow).toContainEqual({
    cidr: "10.9.0.0/24",
    proto: "udp",
    port: 5405,
    last_port: 5412,
  });
  const told = "on_expiry: close\npresets: [{ name: proxmox-node, cluster: [10.9.0.0/24] }]\n";
  expect(parseGuard(told).guard.on_expiry).toBe("close");
});

test("the preset of NetBird makes its interface management; a guard said in full has the same digest", () => {
  const { guard, sha256 } = parseGuard("presets: [{ name: netbird }]\n");
  expect(guard.management.interfaces).toEqual(["wt0"]);
  expect(parseGuard("management: { interfaces: [wt0] }\n").sha256).toBe(sha256);
});

const tcp = (from: number, to = from): Rule["protocol"] => ({
  kind: "tcp",
  ports: { kind: "ranges", ranges: [{ from, to }] },
  sourcePorts: { kind: "any" },
});
const opening = (rule: Partial<Rule>, elements: readonly string[] = []): Ruleset =>
  rulesetOf({
    scopes: [{ kind: "host" }],
    sets: [{ name: "g_wide", kind: "networks", elements: [...elements] }],
    rules: [
      ruleOf({ scope: "host", direction: "in", verdict: "accept", counter: "r_a", ...rule }),
      ruleOf({ scope: "host", direction: "in", verdict: "drop", counter: "r_z" }),
    ],
  });
const wide = { kind: "set", set: "g_wide" } as const;

const overlayAlone = groupsRuleset({ dev: ["10.8.0.1"] });
test.each<[string, Ruleset]>([
  ["nothing judged", emptyRuleset],
  ["an overlay judged and no input", overlayAlone],
])("refuses, under every guard, a bundle with %s", (_, ruleset) => {
  for (const text of [
    good,
    `${good}limits: { max_any_accept: 131070 }\nnever_accept_from_any: []\n`,
  ])
    expect(() => admit({ ruleset }, parseGuard(text).guard)).toThrow(
      expect.objectContaining({
        code: "guard_refused",
        message: expect.stringContaining("scope host") as string,
      }),
    );
});

const overlayOn = (interfaces: string[], subnets: string[]): Ruleset =>
  rulesetOf({
    scopes: [{ kind: "host" }, { kind: "overlay", name: "office", interfaces, subnets }],
  });
const inner = ["10.8.0.0/24", "fd00:8::/64"];

test.each<[string, Ruleset, string, readonly string[]]>([
  ["the way to everybody", overlayOn(["eth0"], inner), "forward.interfaces", ["eth0"]],
  ["loopback, beside a tunnel", overlayOn(["lo", "tun0"], inner), "forward.interfaces", ["lo"]],
  ["a bridge of virtual machines", overlayOn(["vmbr0"], inner), "forward.interfaces", ["vmbr0"]],
  ["everybody's addresses", overlayOn(["tun0"], ["0.0.0.0/0"]), "forward.subnets", ["0.0.0.0/0"]],
  [
    "all of IPv6",
    overlayOn(["tun0"], ["10.8.0.0/24", "::/0"]),
    "forward.subnets",
    ["10.8.0.0/24", "::/0"],
  ],
  [
    "both halves",
    overlayOn(["tun0"], ["0.0.0.0/1", "128.0.0.0/1"]),
    "forward.subnets",
    ["0.0.0.0/1", "128.0.0.0/1"],
  ],
])("admits no overlay of %s, and does where the guard names it", (_, ruleset, line, things) => {
  const { guard } = parseGuard(good);
  expect(guardRefusals(ruleset, guard)).toEqual([
    expect.objectContaining({ line, things, rows: ["overlays/office"] }),
  ]);
  const named = JSON.stringify({
    interfaces: ["eth0", "lo", "vmbr*", "tun0"],
    subnets: ["0.0.0.0/0", "::/0"],
  });
  expect(guardRefusals(ruleset, parseGuard(`${good}forward: ${named}\n`).guard)).toEqual([]);
});

test.each(["tun0", "tun-a.0", "wg_0", "wt0", "tailscale0"])(
  "admits an overlay by %s unless the guard names others",
  (name) => {
    const ruleset = overlayOn([name], [...inner, "10.0.0.0/8", "fc00::/7"]);
    expect(guardRefusals(ruleset, parseGuard(good).guard)).toEqual([]);
    const others = parseGuard(`${good}forward: { interfaces: [office] }\n`).guard;
    expect(guardRefusals(ruleset, others)).toMatchObject([
      { line: "forward.interfaces", things: [name] },
    ]);
  },
);

test.each<[string, Ruleset]>([
  ["ssh to any", opening({ protocol: tcp(22) })],
  ["a range that holds a database", opening({ protocol: tcp(5000, 6000) })],
  [
    "all of tcp",
    opening({ protocol: { kind: "tcp", ports: { kind: "any" }, sourcePorts: { kind: "any" } } }),
  ],
  ["everything to any", opening({})],
  [
    "ssh to both halves of the internet",
    opening({ protocol: tcp(22), source: wide }, ["0.0.0.0/1", "128.0.0.0/1"]),
  ],
  [
    "ssh to a sixteenth of it, said in pieces",
    opening({ protocol: tcp(22), source: wide }, ["16.0.0.0/5", "32.0.0.0/5"]),
  ],
  ["ssh to all of IPv6", opening({ protocol: tcp(22), source: wide }, ["2000::/3"])],
  ["more ports than it may", opening({ protocol: tcp(10_000, 10_128) })],
])("admits no bundle that opens %s", (_, ruleset) => {
  const { guard } = parseGuard(good);
  expect(() => admit({ ruleset }, guard)).toThrow(
    expect.objectContaining({ code: "guard_refused" }),
  );
});

test.each<[string, Ruleset]>([
  ["a web server to any", opening({ protocol: tcp(443) })],
  [
    "ssh to every private network",
    opening({ protocol: tcp(22), source: wide }, [
      "10.0.0.0/8",
      "172.16.0.0/12",
      "192.168.0.0/16",
      "fd00::/8",
    ]),
  ],
  ["replies", opening({ state: "established" })],
  ["as many ports as it may", opening({ protocol: tcp(10_000, 10_127) })],
])("admits a bundle that opens %s", (_, ruleset) => {
  const { guard } = parseGuard(good);
  expect(admit({ ruleset }, guard)).toBe(ruleset);
});

const nobody = { peer: undefined, uplink: undefined, tunnels: [] };

test("proposes ssh from where the person sits, v4 and v6, and nothing where it does not know", () => {
  for (const [peer, cidr] of [
    ["198.51.100.7", "198.51.100.7/32"],
    ["2001:db8::7", "2001:db8::7/128"],
  ]) {
    const text = proposeGuard({ sshPorts: [22, 2222], peer, uplink: "eth0", tunnels: [] });
    expect(parseGuard(text ?? "").guard.management).toEqual({
      interfaces: [],
      allow: [22, 2222].map((port) => ({ cidr, proto: "tcp", port })),
    });
  }
  expect(proposeGuard({ sshPorts: [22], ...nobody })).toBeUndefined();
  expect(proposeGuard({ ...nobody, sshPorts: [], peer: "198.51.100.7" })).toBeUndefined();
  expect(proposeGuard({ ...nobody, sshPorts: [22], peer: "x }\n" })).toBeUndefined();
});

test.each<[string, readonly string[], string | undefined, readonly string[] | undefined]>([
  ["are named as tunnels are", ["tun0", "wg1"], "eth0", undefined],
  ["are called otherwise", ["office", "wg1"], "eth0", ["office", "wg1"]],
  ["are the way to everybody else", ["wg0", "wg1"], "wg0", ["wg1"]],
  ["are that way alone", ["wg0"], "wg0", []],
])(
  "proposes to judge what tunnels forward, said in full where they %s",
  (_, tunnels, uplink, interfaces) => {
    const text = proposeGuard({ sshPorts: [22], peer: "198.51.100.7", uplink, tunnels }) ?? "";
    expect(parseGuard(text).guard.forward?.interfaces).toEqual(interfaces);
  },
);

test("finds the ports of sshd, each once, and none that only this host reaches", async () => {
  const script = `process.title = "sshd";
    const { createServer } = require("node:net");
    const anywhere = createServer().listen(0, "::", () =>
      createServer().listen(0, "127.0.0.1", function () {
        console.log(anywhere.address().port, this.address().port);
      }));
    process.stdin.resume().on("end", () => process.exit(0));`;
  const sshd = spawn(process.execPath, ["-e", script], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(sshd, "exit");
  const other = createServer().listen(0, "::");
  await once(other, "listening");
  const ours = (other.address() as AddressInfo).port;
  const [anywhere, loopback] = String((await once(sshd.stdout, "data"))[0])
    .split(" ")
    .map(Number);
  const { sshPorts } = readSurroundings({});
  sshd.stdin.end();
  other.close();
  await ended;
  expect(sshPorts.filter((port) => [anywhere, loopback, ours].includes(port))).toEqual([anywhere]);
});

test("reads the peer from the session and survives processes that end while it looks", async () => {
  const seen = readSurroundings({ SSH_CONNECTION: "198.51.100.7 50000 192.0.2.1 22" });
  expect(seen.peer).toBe("198.51.100.7");
  expect(readSurroundings({}).peer).toBeUndefined();
});
