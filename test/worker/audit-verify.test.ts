/** What an auditor relies on: whoever reaches the database past the control plane is stopped, or seen by `audit verify`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RolloutRequest } from "#schema/rollout.ts";
import { startRollout } from "#worker/rollouts/start.ts";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";
import { host, overlay } from "#test/support/plane.ts";
import { commit } from "#worker/commits/commit.ts";
import { runCli } from "../support/cli.ts";

let folder: string;
let plane: Standalone;
let env: Record<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "portcullis-audit-"));
  const endpoints = [{ kind: "plain", host: "127.0.0.1", port: 0 }] as const;
  plane = await openStandalone({ data: folder, fleet: "f1", endpoints });
  env = { PORTCULLIS_URL: plane.urls[0] ?? "", PORTCULLIS_TOKEN: plane.admin.token };
});
afterEach(async () => {
  await plane.close();
  rmSync(folder, { recursive: true, force: true });
});

const call = (method: string, path: string, body?: unknown): Promise<Response> =>
  fetch(new URL(path, env["PORTCULLIS_URL"]), {
    method,
    headers: {
      authorization: `Bearer ${env["PORTCULLIS_TOKEN"] ?? ""}`,
      "content-type": "application/json",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const declare = async (name: string): Promise<void> => {
  const response = await call("PUT", `/v1/hosts/${name}`, { addresses: [], roles: [], labels: {} });
  expect(response.status).toBe(201);
};
const verify = (...args: readonly string[]) => runCli(["audit", "verify", ...args], { env });
/** As somebody with the file would, with every trigger in place. */
function forge(sql: string): void {
  const database = new DatabaseSync(join(folder, "portcullis.sqlite"));
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}

test("each decision names its request and where it came from, and the chain is whole", async () => {
  await declare("gw");
  const { items } = (await (await call("GET", "/v1/audit")).json()) as {
    items: readonly unknown[];
  };
  expect(items[0]).toMatchObject({
    actor: "admin",
    action: "commit",
    request_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    source: "127.0.0.1",
    body: { rows_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown },
  });
  const { code, lines } = await verify();
  expect({ code, lines }).toEqual({
    code: 0,
    lines: [expect.stringMatching(/^the chain is whole to 1:[0-9a-f]{64}$/)],
  });
});

test("a row of intent that nobody committed is named by its revision, in any part of a long chain", async () => {
  await declare("gw");
  for (let i = 0; i < 120; i += 1) await declare(`h${i}`);
  expect((await verify()).code).toBe(0);
  const body = JSON.stringify({ addresses: [], roles: [], labels: {} });
  forge(
    `INSERT INTO intent (kind, key, body, from_revision, "by", source) VALUES ('host', 'mole', '${body}', 121, 'admin', 'api')`,
  );
  const { code, lines } = await verify();
  expect({ code, lines }).toEqual({
    code: 1,
    lines: ["broken at 121: expected other rows of revision 121"],
  });
});

test("a chain that was cut is seen by a link that was kept", async () => {
  await declare("gw");
  await declare("app");
  const kept = /(\d+:[0-9a-f]{64})/.exec((await verify()).lines[0] ?? "")?.[1] ?? "";
  expect((await verify("--expect", kept)).code).toBe(0);
  forge("DROP TRIGGER audit_delete; DELETE FROM audit WHERE seq = 2");
  const { code, lines } = await verify("--expect", kept);
  expect(code).toBe(1);
  expect(lines).toEqual([
    "broken at 2: expected another hash: the chain was cut or written anew since",
  ]);
  const wrong = await verify("--expect", "2");
  expect(wrong).toMatchObject({ code: 1, errors: [expect.stringContaining("expected SEQ:HASH")] });
});

describe("what auditors rely on is neither deleted nor replaced", () => {
  beforeEach(async () => {
    const said = { message: "m", source: "api" } as const;
    const { ports } = plane;
    await commit(ports, "test", { ...said, release: "now", changes: [host("gw")] });
    await commit(ports, "test", { ...said, release: "staged", changes: [overlay("office", "gw")] });
    await startRollout(ports, "test", RolloutRequest.parse({ note: "n" }));
    await call("POST", "/v1/tokens", { name: "ci", scopes: ["intent:read"], ttl_seconds: 3600 });
    forge(`
      INSERT INTO run VALUES ('gw', 1, NULL, 'steady', 1, 1, NULL, NULL, NULL, 1);
      INSERT INTO approval VALUES (1, 'alice', 1);
      INSERT INTO enrolment VALUES ('e', 'gw', '${"e".repeat(64)}', 1, 'admin', 9, 2, NULL);
      INSERT INTO identity VALUES ('gw', 'k', 1, 'e', 1, NULL, NULL);
    `);
  });

  const tables = [
    "run",
    "rollout",
    "rollout_host",
    "approval",
    "token",
    "enrolment",
    "identity",
    "fleet",
  ];

  test.each(tables)("%s", (table) => {
    expect(() => forge(`INSERT OR REPLACE INTO ${table} SELECT * FROM ${table}`)).toThrow(
      /append_only|rewritten|token_name_once/,
    );
    expect(() => forge(`DELETE FROM ${table}`)).toThrow(/append_only|rewritten/);
  });

  test("a host's key does not go to another without an invitation that was used", () => {
    expect(() => forge("UPDATE identity SET public_key = 'mine'")).toThrow("identity_rewritten");
    expect(() =>
      forge("INSERT OR REPLACE INTO identity VALUES ('gw', 'mine', 2, 'none', 9, NULL, NULL)"),
    ).toThrow(/identity_rewritten/);
    expect(() => forge("UPDATE fleet SET generation = 0")).toThrow("fleet_append_only");
    const columns = "id, 'other', sha256, scopes, created_at, created_by, NULL, NULL, NULL, id";
    expect(() => forge(`INSERT OR REPLACE INTO token SELECT ${columns} FROM token`)).toThrow(
      "token_append_only",
    );
  });
});
