/** What `portcullis login` stores, who wins over it, and that a stored token goes to nobody else. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";
import { openApiDocument } from "#worker/http/openapi/document.ts";
import { runCli } from "../support/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "portcullis-login-"));
const tokenFile = join(folder, "token");
let plane: Standalone;
let url: string;
let env: Record<string, string>;

beforeAll(async () => {
  const endpoints = [{ kind: "plain", host: "127.0.0.1", port: 0 }] as const;
  plane = await openStandalone({ data: join(folder, "plane"), fleet: "f1", endpoints });
  url = plane.urls[0] ?? "";
  writeFileSync(tokenFile, plane.admin.token);
});
afterAll(async () => {
  await plane.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => void (env = { HOME: mkdtempSync(join(folder, "home-")) }));

const run = (...args: readonly string[]) => runCli(args, { env });
const stored = (): string => join(env["HOME"] ?? "", ".config", "portcullis", "profiles.json");

test("after login no command needs a URL or a token file, and the token is not copied", async () => {
  const { code, lines } = await run("login", "--url", url, "--token-file", tokenFile);
  expect({ code, lines }).toEqual({
    code: 0,
    lines: [`logged in to ${url} as admin; stored as profile default in ${stored()}`],
  });
  expect(statSync(stored()).mode & 0o777).toBe(0o600);
  expect(readFileSync(stored(), "utf8")).not.toContain(plane.admin.token);
  expect((await run("hosts")).code).toBe(0);
  const who = await run("whoami", "--json");
  expect(JSON.parse(who.lines[0] ?? "")).toMatchObject({
    name: "admin",
    token: null,
    expires_at: null,
  });
});

test("whoami says what a token may, whatever its scopes", async () => {
  await run("login", "--url", url, "--token-file", tokenFile);
  const { lines } = await run(
    "token",
    "create",
    "--name",
    "ci",
    "--scope",
    "audit:read",
    "--expires",
    "1h",
  );
  env["PORTCULLIS_TOKEN"] = lines[0] ?? "";
  env["PORTCULLIS_URL"] = url;
  const who = await run("whoami");
  expect(who).toMatchObject({ code: 0 });
  expect(who.lines.join("\n")).toMatch(/name +token:ci\nscopes +audit:read\nexpires +\d{4}-/);
});

test("a profile's token goes to its own control plane and to no other", async () => {
  await run("login", "--url", url, "--token-file", tokenFile);
  const other = await run("whoami", "--url", "http://127.0.0.1:9");
  expect(other.code).toBe(2);
  expect(other.errors[0]).toMatch(/^portcullis: no token: /);
});

test("several profiles: the last is meant, another is named, by option or environment", async () => {
  await run("login", "--profile", "main", "--url", url, "--token-file", tokenFile);
  const gone = join(folder, "gone");
  writeFileSync(stored(), readFileSync(stored(), "utf8").replace(`"${tokenFile}"`, `"${gone}"`));
  await run("login", "--profile", "lab", "--url", url, "--token-file", tokenFile);
  expect((await run("whoami")).code).toBe(0);
  expect((await run("whoami", "--profile", "main")).errors[0]).toContain(
    `cannot read the file of the token ${gone}`,
  );
  env["PORTCULLIS_PROFILE"] = "main";
  expect((await run("whoami")).code).toBe(2);
  expect((await run("whoami", "--profile", "none")).errors[0]).toContain(
    'there is no profile "none"',
  );
});

test("a token that is not let in is not stored, and a file that is none of ours is named", async () => {
  const wrong = join(folder, "wrong");
  writeFileSync(wrong, "pc_aaaaaaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
  expect((await run("login", "--url", url, "--token-file", wrong)).code).toBe(1);
  expect(existsSync(stored())).toBe(false);
  mkdirSync(join(env["HOME"] ?? "", ".config", "portcullis"), { recursive: true });
  writeFileSync(stored(), '{"token": "secret"}');
  const { code, errors } = await run("whoami");
  expect(code).toBe(2);
  expect(errors[0]).toContain(`${stored()}: expected profiles as portcullis login writes them`);
  expect(errors.join()).not.toContain("secret");
});

test("the document says what is meant where a list's limit is not said", () => {
  const text = JSON.stringify(openApiDocument());
  expect(text).toMatch(/"name":"limit"[^}]*"default":100/);
  expect(text).toMatch(/"name":"limit"[^}]*"default":20[^0-9]/);
});

test("a token of the environment goes to no login that nobody named", async () => {
  await run("login", "--url", url, "--token-file", tokenFile);
  env["PORTCULLIS_TOKEN"] = plane.admin.token;
  const { code, lines, errors } = await run("hosts");
  expect({ code, lines }).toEqual({ code: 2, lines: [] });
  expect(errors.join("\n")).toContain(
    "PORTCULLIS_TOKEN is set, and nothing says for which control plane",
  );
  expect((await run("hosts", "--profile", "default")).code).toBe(0);
  expect((await run("hosts", "--url", url)).code).toBe(0);
  expect((await run("hosts", "--token-file", tokenFile)).code).toBe(0);
});

test("a link where a login used to write its copy is not followed, and none is left behind", async () => {
  await run("login", "--url", url, "--token-file", tokenFile);
  const victim = join(env["HOME"] ?? "", "victim");
  writeFileSync(victim, "mine");
  symlinkSync(victim, `${stored()}.new`);
  expect((await run("login", "--url", url, "--token-file", tokenFile)).code).toBe(0);
  expect(readFileSync(victim, "utf8")).toBe("mine");
  expect(readdirSync(dirname(stored())).toSorted()).toEqual(["profiles.json", "profiles.json.new"]);
});
