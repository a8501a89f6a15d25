/**
 * The shipped package on a Debian system under its own systemd, without Node: installed, converging with a real control
 * plane, upgraded, left, removed and purged. The tests are one story, in order.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inNamespace } from "#lab/net/netns.ts";
import { must, type Outcome, run, waitUntil } from "#lab/run/process.ts";
import type { Container } from "./container.ts";
import { debianFiles } from "./image.ts";
import {
  bootContainer,
  converge,
  joinFleet,
  knock,
  openSite,
  ports,
  server,
  type Site,
} from "./site.ts";
import { whileKnocking } from "./watch.ts";

const state = "/var/lib/portcullis";
let site: Site;
let host: Container;
beforeAll(async () => {
  site = await openSite();
  host = await bootContainer(site);
  await host.must(["systemctl", "start", "listeners.socket"]);
});
afterAll(async () => {
  await host?.stop();
  await site?.close();
});

const systemctl = async (...argv: readonly string[]): Promise<string> =>
  (await host.run(["systemctl", ...argv])).stdout.trim();
const agentPid = (): Promise<string> => systemctl("show", "-P", "MainPID", "portcullis-agent");
const inFile = (path: string): string => readFileSync(join(site.tree, path), "utf8");
const table = (): Promise<string> =>
  must(inNamespace(site.inside, "nft", "-s", "list", "table", "inet", "portcullis"));
const both = (answer: string): readonly string[] => [answer, answer];

/** A host that runs what the catalog says: these ports, management and nothing else. */
async function expectEnforced(): Promise<void> {
  expect(await knock(site, ports.management)).toEqual(both("open"));
  expect(await knock(site, ports.declared)).toEqual(both("open"));
  expect(await knock(site, ports.undeclared)).toEqual(both("silent"));
}

const startAgent = ["systemctl", "start", "portcullis-agent"] as const;

test("installs on a host without Node, and changes nothing before it has joined", async () => {
  expect((await host.run(["sh", "-c", "command -v node"])).code).not.toBe(0);
  const deb = await site.package("0.1.0");
  expect(await host.must(["dpkg", "-i", deb])).toContain("portcullis-agent join");
  expect(await systemctl("is-enabled", "portcullis-boot", "portcullis-agent")).toBe(
    "enabled\nenabled",
  );
  expect(await systemctl("is-active", "portcullis-agent")).toBe("inactive");
  expect(await systemctl("--failed", "--no-legend", "list-units", "portcullis*")).toBe("");
  expect((await host.must(["stat", "-c", "%a %U", state])).trim()).toBe("700 root");
  expect(await knock(site, ports.undeclared)).toEqual(both("open"));
});

test("makes no circle of orders with other firewalls' units, nor with one that an administrator wrote", async () => {
  const units = join(site.tree, "etc/systemd/system");
  const others = ["ferm", "firewalld", "netfilter-persistent", "nftables", "ufw"].map(
    (name) => `${name}.service`,
  );
  for (const name of others)
    cpSync(
      join(await debianFiles(name.replace(".service", "")), "lib/systemd/system", name),
      join(units, name),
    );
  const systemd = (...argv: readonly string[]): Promise<Outcome> =>
    run(["chroot", site.tree, ...argv]);
  const circles = async (...enabled: readonly string[]): Promise<readonly string[]> => {
    const names = ["systemd-networkd.service", ...enabled];
    expect(await systemd("systemctl", "enable", "--quiet", ...names)).toMatchObject({ code: 0 });
    const { stderr } = await systemd("systemd-analyze", "verify", "default.target");
    await systemd("systemctl", "disable", "--quiet", ...names);
    return stderr.split("\n").filter((line) => line.includes("cycle"));
  };
  // These two exclude each other.
  for (const other of ["firewalld.service", "nftables.service"])
    expect(await circles(...others.filter((name) => name !== other))).toEqual([]);
  // Rules that name interfaces, so that they load once the network is up.
  const late = "[Unit]\nWants=network-online.target\nAfter=network-online.target\n";
  const own = readFileSync(join(units, "nftables.service"), "utf8").replace(/^Before=.*$/m, "");
  writeFileSync(join(units, "nftables.service"), own.replace("[Unit]\n", late));
  expect(await circles("nftables.service")).toEqual([]);
  // Control: what an order after it would do.
  const drop = join(units, "portcullis-boot.service.d");
  mkdirSync(drop);
  writeFileSync(join(drop, "after.conf"), "[Unit]\nAfter=nftables.service\n");
  expect((await circles("nftables.service")).join()).toContain("cycle");
  for (const path of [drop, ...others.map((name) => join(units, name))])
    rmSync(path, { recursive: true });
});

test("a build of the same commit is the same bytes", async () => {
  const digest = async (): Promise<string> => host.must(["sha256sum", await site.package("0.1.0")]);
  expect(await digest()).toBe(await digest());
});

test("converges with the control plane as a unit that may change the firewall and nothing else", async () => {
  await joinFleet(site, host);
  await converge(host, startAgent);
  await expectEnforced();
  const security = await host.must([
    "systemd-analyze",
    "security",
    "--no-pager",
    "portcullis-agent",
  ]);
  const exposure = /exposure level for \S+: ([\d.]+)/.exec(security)?.[1];
  expect(Number(exposure)).toBeLessThanOrEqual(2.5);
  const capabilities = await host.must([
    "grep",
    "^Cap\\(Eff\\|Bnd\\)",
    `/proc/${await agentPid()}/status`,
  ]);
  const netAdmin = (1n << 12n).toString(16).padStart(16, "0");
  expect(capabilities.trim().split(/\s+/)).toEqual(["CapEff:", netAdmin, "CapBnd:", netAdmin]);
});

test("believes the system's store, and nothing that the manager's environment asks for", async () => {
  expect(inFile("var/lib/portcullis/identity.json")).toContain('"ca": null');
  const asked = [
    "NODE_OPTIONS=--inspect=0.0.0.0:9229",
    "NODE_TLS_REJECT_UNAUTHORIZED=0",
    "HTTPS_PROXY=http://127.0.0.1:9",
  ];
  await host.must(["systemctl", "set-environment", ...asked]);
  await converge(host, ["systemctl", "restart", "portcullis-agent"]);
  const given = await host.must(["cat", `/proc/${await agentPid()}/environ`]);
  await host.must([
    "systemctl",
    "unset-environment",
    ...asked.map((one) => one.replace(/=.*/, "")),
  ]);
  expect(given).toContain("PATH=");
  expect(given).not.toMatch(/NODE_OPTIONS|NODE_TLS|HTTPS_PROXY/);
});

test("stopping the agent leaves the rules, and without it they come back when nftables.service flushes them", async () => {
  await host.must(["systemctl", "stop", "portcullis-agent", "portcullis-boot"]);
  await expectEnforced();
  const before = await table();
  for (const act of ["start", "reload", "restart", "stop"]) {
    await host.must(["systemctl", act, "nftables"]);
    expect(await table()).toBe(before);
  }
  await expectEnforced();
  await converge(host, startAgent);
});

test("an upgrade starts a new agent, keeps its state, and lets nobody in meanwhile", async () => {
  const before = { pid: await agentPid(), key: inFile(`${state}/host.key`), table: await table() };
  const deb = await site.package("0.1.1");
  const [management, undeclared] = [
    `${server.v4} ${ports.management}`,
    `${server.v6} ${ports.undeclared}`,
  ];
  const answers = await whileKnocking(site.outside, [management, undeclared], async () => {
    await converge(host, ["dpkg", "-i", deb]);
    expect(await agentPid()).not.toBe(before.pid);
  });
  expect(answers.get(undeclared)).toMatchObject({ open: 0, refused: 0 });
  expect(answers.get(management)).toMatchObject({ refused: 0, silent: 0, unreachable: 0 });
  expect(answers.get(management)?.open).toBeGreaterThan(0);
  expect(
    (await host.must(["dpkg-query", "-W", "-f", "${Version}", "portcullis-agent"])).trim(),
  ).toBe("0.1.1");
  expect(inFile(`${state}/host.key`)).toBe(before.key);
  expect(await table()).toBe(before.table);
});

test("an agent whose loop stands still is started anew, with the rules in place meanwhile", async () => {
  const show = (property: string): Promise<string> =>
    systemctl("show", "-P", property, "portcullis-agent");
  expect(await show("WatchdogUSec")).toBe("3min");
  const soon = join(site.tree, "etc/systemd/system/portcullis-agent.service.d");
  mkdirSync(soon);
  writeFileSync(join(soon, "soon.conf"), "[Service]\nWatchdogSec=9\n");
  await host.must(["systemctl", "daemon-reload"]);
  await converge(host, ["systemctl", "restart", "portcullis-agent"]);
  const heard = async (): Promise<number> => Number(await show("WatchdogTimestampMonotonic"));
  const first = await waitUntil(
    "systemd to hear of the agent",
    async () => (await heard()) || undefined,
  );
  await waitUntil("systemd to hear of it again", async () => (await heard()) > first || undefined);
  const [pid, before] = [await agentPid(), await table()];
  await host.must(["sh", "-c", `kill -STOP ${pid}`]);
  await waitUntil("another agent", async () => !["0", pid].includes(await agentPid()) || undefined);
  expect(await show("NRestarts")).toBe("1");
  expect(await table()).toBe(before);
  await expectEnforced();
  rmSync(soon, { recursive: true });
  await host.must(["systemctl", "daemon-reload"]);
  await converge(host, ["systemctl", "restart", "portcullis-agent"]);
});

test("leave refuses beside a running agent, and removes the table without one", async () => {
  expect((await host.run(["portcullis-agent", "leave"])).code).toBe(1);
  await expectEnforced();
  await host.must(["systemctl", "stop", "portcullis-agent"]);
  await host.must(["portcullis-agent", "leave"]);
  expect(await knock(site, ports.undeclared)).toEqual(both("open"));
  // Who left begins like a new host: it counts until a person says adopt.
  await host.must(startAgent);
  await converge(host, ["portcullis-agent", "adopt", "--yes"]);
  await expectEnforced();
});

test("removing the package ends the agent, leaves the rules, and says so", async () => {
  const before = await table();
  const said = await host.must(["dpkg", "-r", "portcullis-agent"]);
  expect(said).toMatch(/stays as it is until the next boot/);
  expect(said).toMatch(/only 'portcullis-agent leave' removes it/);
  expect(await systemctl("is-active", "portcullis-agent")).toBe("inactive");
  expect(await table()).toBe(before);
  await expectEnforced();
  expect(inFile(`${state}/host.key`)).not.toBe("");
});

test("purging forgets the host's key and guard, and leaves the rules", async () => {
  const before = await table();
  await host.must(["dpkg", "-P", "portcullis-agent"]);
  expect(await table()).toBe(before);
  const left = await host.must(["find", "/etc", "/usr", "/var/lib", "-name", "*portcullis*"]);
  expect(left).toBe("");
  expect(await host.must(["dpkg", "--audit"])).toBe("");
});
