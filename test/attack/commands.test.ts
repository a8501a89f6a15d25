/** The program as a person or systemd runs it: what each command does to the kernel, and that nothing else does. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { spawnExec } from "#agent/process/spawn.ts";
import { waitUntil } from "#lab/run/process.ts";
import { Report } from "#schema/wire.ts";
import { restoring } from "#test/support/restoring.ts";
import {
  type Authority,
  filesOf,
  newAuthority,
  openPlane,
  type Plane,
  publish,
  sha256,
} from "./plane.ts";
import { admitting, guardText, type Namespace, openNamespace } from "./victim.ts";
import type { Published } from "#worker/signing/types.ts";

const program = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));
const exec = spawnExec({ timeoutSeconds: 30 });

let namespace: Namespace;
let directory: string;
let authority: Authority;
let plane: Plane;
let first: Published;
let children: ChildProcess[];
beforeAll(async () => void (namespace = await openNamespace()));
afterAll(() => namespace.close());
beforeEach(async () => {
  await namespace.clear();
  await namespace.exec(["nft", "add", "table", "inet", "theirs"], "");
  children = [];
  directory = mkdtempSync(join(tmpdir(), "portcullis-commands-"));
  writeFileSync(join(directory, "guard.yaml"), guardText, { mode: 0o600 });
  writeFileSync(join(directory, "token"), "pce_test\n", { mode: 0o600 });
  // The control plane listens on this machine's loopback, the rules live in the namespace.
  const nft = join(directory, "nft");
  writeFileSync(nft, `#!/bin/sh\nexec ip netns exec ${namespace.name} nft "$@"\n`);
  chmodSync(nft, 0o755);
  authority = await newAuthority();
  plane = await openPlane(authority.root);
  first = await publish(authority, admitting("198.51.100.1"), undefined);
  plane.serve(filesOf(first));
  const pin = ["--root-sha256", sha256(authority.root), "--token-file", join(directory, "token")];
  expect(await agent("join", plane.url, ...pin, "--enforce")).toMatchObject({ status: 0 });
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await plane.close();
  rmSync(directory, { recursive: true, force: true });
});

const args = (...more: readonly string[]): readonly string[] => [
  program,
  ...more,
  "--state-dir",
  join(directory, "state"),
  "--guard",
  join(directory, "guard.yaml"),
  "--nft",
  join(directory, "nft"),
];
/** Another beginning than the one in `beforeEach`. */
async function joinAgain(...how: readonly string[]): Promise<void> {
  rmSync(join(directory, "state"), { recursive: true });
  const pin = ["--root-sha256", sha256(authority.root), "--token-file", join(directory, "token")];
  expect(await agent("join", plane.url, ...pin, ...how)).toMatchObject({ status: 0 });
}
const agent = (...more: readonly string[]) => exec([process.execPath, ...args(...more)], "");

/** Starts `run` and waits until it says `line`. */
async function running(line: RegExp): Promise<ChildProcess> {
  const child = spawn(process.execPath, args("run"), { stdio: ["ignore", "ignore", "pipe"] });
  children.push(child);
  for await (const said of createInterface({ input: child.stderr }))
    if (line.test(said)) return child;
  throw new Error("the agent ended before it said what was expected");
}

test("once applies what was signed and leaves other tables alone; a second time changes nothing", async () => {
  expect(await agent("once")).toMatchObject({ status: 0 });
  const ruleset = await namespace.ruleset();
  expect(ruleset).toContain("198.51.100.1");
  expect(ruleset).toContain("table inet theirs");
  expect(await agent("once")).toMatchObject({ status: 0 });
  expect(await namespace.ruleset()).toBe(ruleset);
});

test("a host that lost its state and still enforces begins by enforcing when it joins again", async () => {
  const beginning = () => readFileSync(join(directory, "state", "beginning"), "utf8");
  await agent("once");
  const ruleset = await namespace.ruleset();
  await joinAgain();
  expect([beginning(), await namespace.ruleset()]).toEqual(["enforce\n", ruleset]);
  await agent("leave");
  await joinAgain();
  expect(beginning()).toBe("count\n");
  await agent("once");
  expect(await namespace.ruleset()).not.toContain("policy drop");
  await joinAgain();
  expect(beginning()).toBe("count\n");
});

test("a host whose kernel cannot be asked does not join before it is said whether it enforces", async () => {
  rmSync(join(directory, "state"), { recursive: true });
  const pin = ["--root-sha256", sha256(authority.root), "--token-file", join(directory, "token")];
  const without = [program, "join", plane.url, ...pin, "--nft", "/nonexistent/nft"];
  const places = [
    "--state-dir",
    join(directory, "state"),
    "--guard",
    join(directory, "guard.yaml"),
  ];
  const refused = await exec([process.execPath, ...without, ...places], "");
  expect(refused).toMatchObject({
    status: 3,
    stderr: expect.stringContaining("say --enforce") as string,
  });
  expect(existsSync(join(directory, "state", "identity.json"))).toBe(false);
});

test("once says by its status that something was refused, and keeps the rules", async () => {
  await agent("once");
  const ruleset = await namespace.ruleset();
  plane.answer((_, response) => void response.writeHead(503).end());
  const { status, stderr } = await agent("once");
  expect(status).toBe(3);
  expect(stderr).toContain("http_status");
  expect(await namespace.ruleset()).toBe(ruleset);
});

test("a host that never committed keeps what it had, unless it joined closed: then it is closed from then on", async () => {
  const serving = filesOf(first);
  plane.answer((_, response) => void response.writeHead(503).end());
  const before = await namespace.ruleset();
  await agent("once");
  expect(await namespace.ruleset()).toBe(before);
  await joinAgain("--closed-first");
  const closed = await namespace.ruleset();
  expect(closed).toContain("policy drop");
  expect(closed).not.toContain("198.51.100.1");
  // What boot does, before the network is up.
  await namespace.clear();
  const state = join(directory, "state");
  await exec(restoring(state, join(directory, "fallback"), join(directory, "nft")), "");
  expect(await namespace.ruleset()).toContain("policy drop");
  await agent("once");
  expect(await namespace.ruleset()).toContain("policy drop");
  plane.serve(serving);
  expect(await agent("once")).toMatchObject({ status: 0 });
  expect(await namespace.ruleset()).toContain("198.51.100.1");
});

test("a host that joined without being asked counts, over a reboot too, until adopt --yes; leave begins anew", async () => {
  await joinAgain();
  expect(await agent("adopt")).toMatchObject({ status: 3 });
  expect(await agent("once")).toMatchObject({ status: 0 });
  const counting = await namespace.ruleset();
  expect(counting).toContain("198.51.100.1");
  expect(counting).not.toMatch(/\b(drop|reject)\b/);
  expect((await agent("status")).stdout).toContain("adopt --yes' enforces it");
  expect(JSON.parse((await agent("status", "--json")).stdout)).toMatchObject({
    state: "adopting",
    applied: null,
    counting: { seq: 1, revision: 1 },
  });
  const second = await publish(authority, admitting("203.0.113.9"), first);
  plane.serve(filesOf(second));
  await agent("once");
  expect(await namespace.ruleset()).toContain("203.0.113.9");
  await namespace.clear();
  const state = join(directory, "state");
  await exec(restoring(state, join(directory, "fallback"), join(directory, "nft")), "");
  expect(await namespace.ruleset()).toBe("");
  expect(await agent("adopt", "--yes")).toMatchObject({ status: 0 });
  expect(await agent("once")).toMatchObject({ status: 0 });
  expect(await namespace.ruleset()).toContain("policy drop");
  expect(await agent("adopt", "--yes")).toMatchObject({
    status: 0,
    stdout: "this host enforces already\n",
  });
  await agent("leave");
  await agent("once");
  expect(await namespace.ruleset()).not.toMatch(/\b(drop|reject)\b/);
});

test("a person's closing holds on a host that counts, and lifting it lets the host count again", async () => {
  await joinAgain();
  await agent("once");
  expect(await agent("closed")).toMatchObject({ status: 0 });
  await agent("once");
  expect(await namespace.ruleset()).toContain("policy drop");
  await agent("closed", "--lift");
  await agent("once");
  expect(await namespace.ruleset()).not.toMatch(/\b(drop|reject)\b/);
});

test("a host begins once: how is said with join and nowhere else", async () => {
  for (const command of ["once", "run", "adopt"])
    expect(await agent(command, "--closed-first")).toMatchObject({ status: 2 });
});

test("SIGTERM ends the agent and leaves the rules in place", async () => {
  const child = await running(/committed seq 1/);
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
  expect(await namespace.ruleset()).toContain("198.51.100.1");
});

test("a running agent brings back its table when everything is flushed, and leaves with the rules in place", async () => {
  const child = await running(/committed seq 1/);
  const sound = await namespace.ruleset();
  await namespace.exec(["nft", "flush", "ruleset"], "");
  await waitUntil("our table", async () =>
    (await namespace.ruleset()).includes("198.51.100.1") ? true : undefined,
  );
  expect(await namespace.ruleset()).toBe(sound.replace("table inet theirs {\n}\n", ""));
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
  expect((await agent("status", "--events", "2")).stdout).toMatch(
    /\nevent {5}\S+Z drift (?:by nft: )?expected our table, found none.*\nevent {5}\S+Z repair of what changed: \d+\n$/,
  );
});

test("one agent at a time; leave is refused while it runs, and removes our table alone when it does not", async () => {
  const child = await running(/committed seq 1/);
  expect(await agent("once")).toMatchObject({ status: 1 });
  expect(await agent("leave")).toMatchObject({ status: 1 });
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
  expect(await namespace.ruleset()).toContain("198.51.100.1");
  expect(await agent("leave")).toMatchObject({ status: 0 });
  expect(await namespace.ruleset()).toBe("table inet theirs {\n}\n");
});

test("after leave, of a closed host too, boot loads nothing and status says that nothing is committed", async () => {
  await agent("once");
  await agent("closed");
  expect(await agent("leave")).toMatchObject({ status: 0 });
  const state = join(directory, "state");
  await exec(restoring(state, join(directory, "fallback"), join(directory, "nft")), "");
  expect(await namespace.ruleset()).toBe("table inet theirs {\n}\n");
  const { stdout } = await agent("status", "--json");
  expect(JSON.parse(stdout)).toMatchObject({ state: "adopting", applied: null, running: false });
});

test("closed holds against what is signed until it is lifted", async () => {
  await agent("once");
  expect(await agent("closed")).toMatchObject({ status: 0 });
  const closed = await namespace.ruleset();
  expect(closed).not.toContain("198.51.100.1");
  plane.serve(filesOf(await publish(authority, admitting("203.0.113.9"), first)));
  await agent("once");
  expect(await namespace.ruleset()).toBe(closed);
  await agent("closed", "--lift");
  await agent("once");
  expect(await namespace.ruleset()).toContain("203.0.113.9");
});

test("render prints what is loaded and loads nothing; status tells what is in force", async () => {
  expect(await agent("render")).toMatchObject({ status: 3 });
  await agent("once");
  const before = await namespace.ruleset();
  const { stdout } = await agent("render");
  expect(stdout).toContain("198.51.100.1");
  expect(await namespace.ruleset()).toBe(before);
  const status = await agent("status", "--json");
  expect(JSON.parse(status.stdout)).toMatchObject({
    state: "steady",
    applied: { seq: 1, revision: 1 },
    running: false,
    last_refusal: null,
    host: "gw",
  });
  expect((await agent("status")).stdout).toMatch(/^host {6}gw of fleet acme/);
});

test("status names a chain of somebody else's that drops what our rules accept", async () => {
  const theirs =
    "table ip theirs {\n chain INPUT { type filter hook input priority 0; policy drop;\n }\n}\n";
  await namespace.exec(["nft", "-f", "-"], theirs);
  await agent("once");
  expect((await agent("status")).stdout).toContain(
    "\nforeign   input is also judged by ip theirs INPUT, priority 0, policy drop\n",
  );
  expect(JSON.parse((await agent("status", "--json")).stdout)).toMatchObject({
    foreign_drops: [{ table: "theirs", hook: "input", by: "policy" }],
  });
  const reports = plane.asked.filter(({ path }) => path === "/v1/agent/report");
  expect(reports.map(({ body }) => Report.parse(JSON.parse(body)).foreign_drops)).toContainEqual([
    { family: "ip", table: "theirs", chain: "INPUT", hook: "input", priority: 0, by: "policy" },
  ]);
});

test("status and report name what listens although no row lets anybody in, and what is let in and does not answer", async () => {
  const server = createServer().listen(0, "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ruleset = admitting("198.51.100.1");
  const web = {
    kind: "tcp" as const,
    ports: { kind: "ranges" as const, ranges: [{ from: 1, to: 1 }] },
    sourcePorts: { kind: "any" as const },
  };
  const [office, ...rest] = ruleset.rules.map((rule, i) =>
    i === 0 ? { ...rule, protocol: web } : rule,
  );
  if (office === undefined) throw new Error("expected a rule");
  plane.serve(filesOf(await publish(authority, { ...ruleset, rules: [office, ...rest] }, first)));
  await agent("once");
  server.close();
  const { stdout } = await agent("status");
  expect(stdout).toMatch(
    new RegExp(`^listens   no row lets anybody reach .*tcp ${port} on 0\\.0\\.0\\.0 \\(\\S+`, "m"),
  );
  expect(stdout).toContain("\nsilent    nothing listens at tcp 1 (hosts/gw#office)\n");
  const reports = plane.asked.filter(({ path }) => path === "/v1/agent/report");
  const told = Report.parse(JSON.parse(reports.at(-1)?.body ?? "")).listening;
  expect(told?.undeclared.entries.map((entry) => entry.port)).toContain(port);
  expect(told?.silent.entries).toEqual([
    { protocol: "tcp", port: 1, last_port: 1, row: "hosts/gw#office" },
  ]);
});

test("a change of the guard is in force after the next cycle, without a new bundle", async () => {
  await agent("once");
  writeFileSync(join(directory, "guard.yaml"), guardText.replace("192.0.2.0", "192.0.3.0"), {
    mode: 0o600,
  });
  expect(await agent("once")).toMatchObject({ status: 0 });
  expect(await namespace.ruleset()).toContain("192.0.3.0/24");
});

test("an invalid guard accepts nothing new and keeps the rules", async () => {
  await agent("once");
  const before = await namespace.ruleset();
  writeFileSync(join(directory, "guard.yaml"), "management: {}\n", { mode: 0o600 });
  plane.serve(filesOf(await publish(authority, admitting("203.0.113.9"), first)));
  const { status, stderr } = await agent("once");
  expect(status).toBe(3);
  expect(stderr).toContain("guard_invalid");
  expect(await namespace.ruleset()).toBe(before);
});
