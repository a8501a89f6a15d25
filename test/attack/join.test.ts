/** Enrolment under attack, by the real program: the token never leaves the host for a stranger, and is never shown. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { spawnExec } from "#agent/process/spawn.ts";
import { type Authority, newAuthority, openPlane, type Plane, sha256 } from "./plane.ts";
import { guardText } from "./victim.ts";

const program = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));
const token = "pce_6b1d2f0a9c";
const exec = spawnExec({ timeoutSeconds: 30 });

let directory: string;
let authority: Authority;
let plane: Plane;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "portcullis-join-"));
  writeFileSync(join(directory, "token"), `${token}\n`, { mode: 0o600 });
  writeFileSync(join(directory, "guard.yaml"), guardText, { mode: 0o600 });
  authority = await newAuthority();
  plane = await openPlane(authority.root);
});
afterEach(async () => {
  await plane.close();
  rmSync(directory, { recursive: true, force: true });
});

const paths = (): readonly string[] => [
  "--state-dir",
  join(directory, "state"),
  "--guard",
  join(directory, "guard.yaml"),
];
const agent = (...args: readonly string[]) =>
  exec([process.execPath, program, ...args, ...paths()], "");
const enrol = (url: string, root: string, ...more: readonly string[]) =>
  agent("join", url, "--root-sha256", root, "--token-file", join(directory, "token"), ...more);
const sent = (): string => JSON.stringify(plane.asked);

test("joins once, keeps its key to itself and sends the token only to be enrolled", async () => {
  const joined = await enrol(plane.url, sha256(authority.root));
  expect(joined).toMatchObject({ status: 0, stdout: "joined fleet acme as host gw\n" });
  expect(joined.stderr).toContain("nothing is cut until 'adopt --yes'");
  expect(plane.asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "GET /v1/root",
    "POST /v1/agent/enrol",
  ]);
  expect(JSON.stringify(plane.asked[0])).not.toContain(token);
  expect(statSync(join(directory, "state", "host.key")).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, "state")).mode & 0o777).toBe(0o700);
  // What boot would load is there before there is any bundle.
  expect(readFileSync(join(directory, "state", "closed.nft"), "utf8")).toContain("192.0.2.0/24");
  const again = await enrol(plane.url, sha256(authority.root));
  expect(again).toMatchObject({
    status: 3,
    stderr: expect.stringContaining("has joined already") as string,
  });
});

test("joins without a guard, and says that nothing is enforced until there is one", async () => {
  rmSync(join(directory, "guard.yaml"));
  const joined = await enrol(plane.url, sha256(authority.root));
  expect(joined.status).toBe(0);
  expect(joined.stderr).toContain("nothing is enforced until it is there");
});

test("sends no token to a control plane with another root", async () => {
  const { status, stdout, stderr } = await enrol(plane.url, sha256("another root"));
  expect(status).toBe(3);
  expect(stderr).toMatch(/^portcullis-agent: root_invalid: .*\n$/);
  expect(plane.asked.map(({ path }) => path)).toEqual(["/v1/root"]);
  expect(sent() + stdout + stderr).not.toContain(token);
});

test("sends no token for a root that is pinned but not sound", async () => {
  await plane.close();
  plane = await openPlane("{}");
  const { status, stderr } = await enrol(plane.url, sha256("{}"));
  expect(status).toBe(3);
  expect(stderr).toContain("metadata_malformed");
  expect(sent()).not.toContain(token);
});

describe("speaks plain http to loopback only", () => {
  test.each([
    "http://192.0.2.1:8787",
    "http://control.example.net",
    "http://127.0.0.1.example.net",
    "http://[::ffff:192.0.2.1]/",
    "ftp://127.0.0.1",
    "http://user:secret@127.0.0.1",
    "not a URL",
  ])("refuses %s before it connects or reads the token", async (url) => {
    const { status, stderr } = await enrol(url, sha256(authority.root));
    expect(status).toBe(3);
    expect(stderr).toMatch(/^portcullis-agent: unreachable: expected .*\n$/);
    expect(stderr).not.toContain("secret");
  });
});

describe("shows no secret and no stack trace", () => {
  test.each<[string, readonly string[]]>([
    ["an unknown option", ["join", `--tokn=${token}`]],
    ["a surplus argument", ["status", token]],
    ["an option without its value", ["join", "--token"]],
    [
      "a missing token file",
      [
        "join",
        "http://127.0.0.1:1",
        "--root-sha256",
        "0".repeat(64),
        "--token-file",
        "/nonexistent",
      ],
    ],
    [
      "nobody there",
      ["join", "http://127.0.0.1:1", "--root-sha256", "0".repeat(64), "--token", token],
    ],
    ["a host that never joined", ["once"]],
    ["no command", []],
  ])("on %s", async (_, args) => {
    const { status, stdout, stderr } = await agent(...args);
    expect(status).toBeGreaterThan(0);
    expect(stdout + stderr).not.toContain(token);
    expect(stderr).not.toMatch(/\n\s+at |node:internal/);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  });
});
