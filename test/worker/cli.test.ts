/** The operator's command line against a real control plane over a real socket. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";
import { Guard } from "#schema/guard.ts";
import { storeReport } from "#worker/reports/rows.ts";
import { folderOf, runCli } from "../support/cli.ts";
import { reportOf } from "./contract/reports.ts";
import { speakerOf } from "#test/support/speaker.ts";

const folder = mkdtempSync(join(tmpdir(), "portcullis-cli-"));
let plane: Standalone;
let env: Record<string, string>;

beforeAll(async () => {
  plane = await openStandalone({
    data: join(folder, "plane"),
    fleet: "f1",
    endpoints: [{ kind: "plain", host: "127.0.0.1", port: 0 }],
  });
  const { token } = plane.admin;
  env = { PORTCULLIS_URL: plane.urls[0] ?? "", PORTCULLIS_TOKEN: token };
});
afterAll(async () => {
  await plane.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: readonly string[]) => runCli(args, { env });
const parsed = async (...args: readonly string[]): Promise<unknown> => {
  const { code, lines, errors } = await run(...args, "--json");
  expect({ code, errors, count: lines.length }).toEqual({ code: 0, errors: [], count: 1 });
  return JSON.parse(lines[0] ?? "");
};
async function put(path: string, body: unknown): Promise<void> {
  const { ok, status } = await fetch(new URL(path, env["PORTCULLIS_URL"]), {
    method: "PUT",
    headers: {
      authorization: `Bearer ${env["PORTCULLIS_TOKEN"] ?? ""}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
  if (!ok) throw new Error(`PUT ${path}: ${status}`);
}

test("the root is made once, its keys to files of their own, then hosts may join", async () => {
  const out = join(folder, "root");
  const made = await parsed("root", "init", "--threshold", "1", "--keys", "2", "--out", out);
  expect(made).toMatchObject({ version: 1, keys: 2, threshold: 1, root: join(out, "root.json") });
  expect(JSON.parse(readFileSync(join(out, "root.json"), "utf8"))).toHaveProperty(
    "signed.version",
    1,
  );
  const again = await run(
    "root",
    "init",
    "--threshold",
    "1",
    "--keys",
    "1",
    "--out",
    join(folder, "other"),
  );
  expect(again.code).toBe(1);
  expect(again.errors).toEqual([
    expect.stringMatching(/^portcullis: root version 1 is in force here already/),
  ]);
});

describe("with two revisions", () => {
  beforeAll(async () => {
    await put("/v1/hosts/web1?message=first", { addresses: ["192.0.2.1"] });
    await put("/v1/hosts/web1?message=second", { addresses: ["192.0.2.2"] });
  });

  test("revisions lists them newest first, as many as asked for", async () => {
    const { lines } = await run("revisions");
    expect(lines[0]).toMatch(/^REVISION +AT +AUTHOR +FOR +SOURCE +MESSAGE$/);
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(/^2 .* second$/),
      expect.stringMatching(/^1 .* first$/),
    ]);
    expect(await parsed("revisions", "--limit", "1")).toMatchObject([
      { revision: 2, message: "second" },
    ]);
  });

  test("revisions R shows what it changed, field by field", async () => {
    const { code, lines } = await run("revisions", "r2");
    expect(code).toBe(0);
    expect(lines.slice(-3)).toEqual([
      "~ host web1",
      "    addresses: - 192.0.2.1",
      "    addresses: + 192.0.2.2",
    ]);
    const none = await run("revisions", "99");
    expect(none).toMatchObject({
      code: 1,
      lines: [],
      errors: [expect.stringContaining("(not_found)")],
    });
  });

  test("ruleset shows the newest, or the one asked for, in nft or JSON", async () => {
    const nft = await run("ruleset", "web1");
    expect(nft.code).toBe(0);
    expect(nft.lines.join("\n")).toContain("table inet");
    expect(await parsed("ruleset", "web1", "--revision", "1")).toHaveProperty("rules");
    const none = await run("ruleset", "nobody");
    expect(none.errors).toEqual([
      expect.stringMatching(
        /^portcullis: GET .*\(not_found\); The host is not declared at this revision. \[request /,
      ),
    ]);
  });

  test("enrol prints the command to join, with the root it pins", async () => {
    const { lines } = await run("enrol", "web1", "--ttl", "60");
    expect(lines[1]).toMatch(
      /^echo \S+ \| portcullis-agent join http:\S+ --root-sha256 [0-9a-f]{64}$/,
    );
    expect(await parsed("enrol", "web1")).toMatchObject({ host: "web1", root_version: 1 });
  });

  test("invitations are listed without their tokens, and taken back by their id alone", async () => {
    const { id, token } = (await parsed("enrol", "web1")) as {
      readonly id: string;
      readonly token: string;
    };
    expect(await parsed("invitation", "list")).toMatchObject([
      { id, host: "web1", created_by: "admin" },
    ]);
    expect((await run("invitation", "list")).lines[1]).toMatch(new RegExp(`^${id} +web1 +admin `));
    expect(await run("invitation", "revoke", token)).toMatchObject({ code: 2, lines: [] });
    expect((await run("invitation", "revoke", id)).lines).toEqual([`took back invitation ${id}`]);
    expect(await parsed("invitation", "list")).toEqual([]);
    expect((await run("invitation", "revoke", "0".repeat(16))).errors[0]).toContain("(not_found)");
  });
});

describe("a host whose guard refuses what a catalog opens", () => {
  const text =
    "portcullis: 1\nhosts:\n  db1: { roles: [db] }\nservices:\n  db:\n    ingress: [{ from: any, port: 22, proto: tcp }]\n";

  test("stops plan and apply with file, row and line of the guard, unless the operator names the host", async () => {
    const { sql } = plane.ports;
    const guard = Guard.parse({ management: { interfaces: ["wg0"] } });
    await storeReport(sql, await speakerOf(sql, "db1"), reportOf(1, { guard }), Date.now());
    const files = folderOf({ "catalog.yaml": text });
    const catalog = ["-f", files.path];
    for (const command of [["plan"], ["apply", "--yes"]]) {
      const { code, errors } = await run(...command, ...catalog);
      expect(code).toBe(1);
      expect(errors[0]).toMatch(
        /catalog\.yaml:5:\d+: \/services\/db: the guard of db1 \(never_accept_from_any\) refuses row services\/db#\S+: .*tcp 22/,
      );
    }
    const allowed = [...catalog, "--allow-guard-refusal", "db1"];
    expect((await run("plan", ...allowed)).lines.join("\n")).toContain(
      "published all the same, as allowed",
    );
    const applied = await run("apply", "--yes", ...allowed);
    expect(applied).toMatchObject({ code: 0, errors: [] });
    expect(applied.lines.at(-1)).toMatch(/published to 1 host/);
    files.remove();
  });
});

test("hosts history says what ran from when to when, page after page, and at one time", async () => {
  for (let n = 1; n <= 120; n += 1) {
    const minute = new Date(Date.UTC(2026, 0, 1, 0, n));
    const report = reportOf(n, {
      at: minute.toISOString(),
      state: n % 2 === 0 ? "steady" : "applying",
      applied: null,
    });
    await storeReport(
      plane.ports.sql,
      await speakerOf(plane.ports.sql, "web9"),
      report,
      minute.getTime(),
    );
  }
  const { lines } = await run("hosts", "history", "web9");
  expect(lines).toHaveLength(121);
  expect(lines[1]).toMatch(/^2026-01-01T02:00:00.000Z +now +steady +- +- +-$/);
  const then = await parsed("hosts", "history", "web9", "--at", "2026-01-01T00:03:30Z");
  expect(then).toMatchObject([
    { from: "2026-01-01T00:03:00.000Z", to: "2026-01-01T00:04:00.000Z" },
  ]);
  expect(await run("hosts", "web9", "--at", "2026-01-01T00:03:30Z")).toMatchObject({ code: 2 });
});

describe("tokens", () => {
  test("a token is shown once, does what it may, and nothing once revoked", async () => {
    const made = await run(
      "token",
      "create",
      "--name",
      "ci",
      "--scope",
      "intent:read",
      "--scope",
      "hosts:enrol",
    );
    expect({ code: made.code, count: made.lines.length }).toEqual({ code: 0, count: 1 });
    const file = join(folder, "ci.token");
    writeFileSync(file, `${made.lines[0] ?? ""}\n`);
    const asCi = (...args: readonly string[]) =>
      runCli([...args, "--token-file", file], {
        env: { PORTCULLIS_URL: env["PORTCULLIS_URL"] ?? "" },
      });
    expect((await asCi("revisions")).code).toBe(0);
    const refused = await asCi("token", "list");
    expect(refused.errors).toEqual([expect.stringContaining("(forbidden)")]);

    const listed = await run("token", "list");
    expect(listed.lines.join("\n")).not.toContain(made.lines[0]);
    const id = listed.lines.find((line) => / ci /.test(line))?.split(" ")[0] ?? "";
    expect((await run("token", "revoke", id)).lines).toEqual([`revoked ci (${id})`]);
    await expect.poll(async () => (await asCi("revisions")).code, { timeout: 300_000 }).toBe(1);
  });

  test("a list of more than a page is followed to its end", async () => {
    for (let i = 0; i < 101; i += 1)
      expect((await run("token", "create", "--name", `t${i}`, "--scope", "intent:read")).code).toBe(
        0,
      );
    const names = (await parsed("token", "list")) as readonly { readonly name: string }[];
    expect(new Set(names.map(({ name }) => name)).size).toBeGreaterThanOrEqual(101);
  });
});

describe("when the control plane cannot be used", () => {
  test("no answer, another's answer and a redirect are one line each, without the token", async () => {
    const server = createServer((request, response) => {
      if (request.url?.startsWith("/v1/tokens") === true)
        response.writeHead(302, { location: "https://192.0.2.1/" });
      response.end("<html>");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const other = { PORTCULLIS_URL: `http://127.0.0.1:${port}`, PORTCULLIS_TOKEN: "secret" };
    const revisions = await runCli(["revisions"], { env: other });
    expect(revisions.errors).toEqual([
      "portcullis: GET /v1/revisions: the answer is not one this version knows; is it a control plane of the same version?",
    ]);
    const redirected = await runCli(["token", "list"], { env: other });
    await new Promise((resolve) => server.close(resolve));
    const gone = await runCli(["revisions"], { env: other });
    for (const { code, errors } of [redirected, gone]) {
      expect({ code, count: errors.length }).toEqual({ code: 1, count: 1 });
      expect(errors[0]).toContain(`cannot reach http://127.0.0.1:${port}`);
      expect(errors[0]).not.toContain("secret");
    }
  });

  test("an answer without end is given up on, and no more of it is read than any has", async () => {
    let sent = 0;
    const piece = Buffer.alloc(1024 * 1024, "x");
    const server = createServer((_, response) => {
      const pour = (): void => {
        while (!response.destroyed && response.write(piece)) sent += 1;
        sent += 1;
        response.once("drain", pour);
      };
      pour();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const other = { PORTCULLIS_URL: `http://127.0.0.1:${port}`, PORTCULLIS_TOKEN: "secret" };
    const { code, errors } = await runCli(["revisions"], { env: other });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect({ code, errors }).toEqual({
      code: 1,
      errors: ["portcullis: the answer is larger than 67108864 bytes; is it a control plane?"],
    });
    expect(sent).toBeLessThan(100);
  });

  test("plain HTTP to anywhere but this machine is refused before the token leaves", async () => {
    const far = { PORTCULLIS_URL: "http://192.0.2.1", PORTCULLIS_TOKEN: "secret" };
    const { code, errors } = await runCli(["revisions"], { env: far });
    expect({ code, errors }).toEqual({
      code: 2,
      errors: [expect.stringContaining("must be https, or http on loopback")],
    });
  });
});
