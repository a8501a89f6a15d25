/** What the store and the writer promise on every adapter. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Change, Commit } from "#schema/intent.ts";
import type { Sql } from "#worker/ports/index.ts";
import { verifyAudit } from "#worker/audit/verify.ts";
import { readIntent } from "#worker/intent/rows.ts";
import { commit } from "#worker/commits/commit.ts";
import {
  type Adapter,
  everything,
  type Harness,
  hostChange,
  memberChange,
  openHarness,
  overlayChange,
} from "./harness.ts";

const aNumber: unknown = expect.any(Number);

export function storeContract(name: string, open: () => Promise<Adapter>): void {
  describe(`the store on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await committed(h, [hostChange("gw"), hostChange("other"), overlayChange("office", "gw", 8)]);
      await committed(h, [memberChange("office/alice", "dev", "10.8.0.2")]);
      await committed(h, [memberChange("office/alice", "ops", "10.8.0.2")]);
    });
    afterAll(() => h.close());
    appendOnly(() => h);
    history(() => h);
    writing(() => h);
  });
}

async function committed(h: Harness, changes: readonly Change[]): Promise<number> {
  const result = await h.commit(changes);
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result.revision;
}

/** Every way around a trigger that SQLite is known to offer; `INSERT OR REPLACE` fires no DELETE trigger. */
const forgeries: readonly (readonly [string, string])[] = [
  ["revision_append_only", "UPDATE revision SET author = 'mallory' WHERE n = 1"],
  ["revision_append_only", "DELETE FROM revision WHERE n = 1"],
  [
    "stale_parent",
    "INSERT OR REPLACE INTO revision SELECT n, parent, at, 'mallory', NULL, source, message FROM revision WHERE n = 1",
  ],
  ["stale_parent", "INSERT INTO revision VALUES (9000, 8999, 0, 'mallory', NULL, 'api', 'x')"],
  ["stale_parent", "INSERT INTO revision VALUES (9, 3, 0, 'mallory', NULL, 'api', 'x')"],
  ["intent_append_only", "UPDATE intent SET body = '{}' WHERE to_revision IS NULL"],
  ["intent_append_only", "UPDATE intent SET \"by\" = 'mallory'"],
  ["intent_append_only", "UPDATE intent SET to_revision = NULL WHERE to_revision IS NOT NULL"],
  [
    "intent_append_only",
    "UPDATE intent SET to_revision = 2 WHERE to_revision IS NULL AND from_revision = 1",
  ],
  ["intent_append_only", "UPDATE OR REPLACE intent SET id = 1 WHERE id = 2"],
  ["intent_append_only", "DELETE FROM intent"],
  [
    "intent_append_only",
    "INSERT OR REPLACE INTO intent SELECT id, kind, key, '{}', from_revision, to_revision, \"by\", NULL, source FROM intent WHERE id = 1",
  ],
  [
    "intent_append_only",
    "INSERT INTO intent (kind, key, body, from_revision, \"by\", source) SELECT 'member', 'office/alice', '{}', head, 'm', 'api' FROM fleet",
  ],
  [
    "intent_append_only",
    "INSERT INTO intent (kind, key, body, from_revision, \"by\", source) VALUES ('host', 'past', '{}', 1, 'm', 'api')",
  ],
  ["audit_append_only", "UPDATE audit SET actor = 'mallory'"],
  ["audit_append_only", "DELETE FROM audit"],
  [
    "audit_chain",
    "INSERT OR REPLACE INTO audit SELECT seq, at, 'mallory', on_behalf_of, action, revision, body, prev, hash, request_id, source FROM audit WHERE seq = 1",
  ],
  [
    "audit_chain",
    "INSERT INTO audit SELECT max(seq) + 2, at, actor, NULL, action, NULL, body, hash, replace(hash, 'a', 'b'), request_id, source FROM audit",
  ],
  [
    "audit_chain",
    "INSERT INTO audit SELECT max(seq) + 1, at, actor, NULL, action, NULL, body, prev, replace(hash, 'a', 'b'), request_id, source FROM audit",
  ],
  ["repository_append_only", "DELETE FROM repository"],
  [
    "stale_repository",
    "UPDATE repository SET seq = seq - 1, timestamp_version = timestamp_version + 1 WHERE host = 'gw'",
  ],
  [
    "stale_repository",
    "UPDATE repository SET targets = '{}', timestamp_version = timestamp_version + 1",
  ],
  ["stale_repository", "UPDATE repository SET timestamp = '{}'"],
  [
    "repository_exists",
    "INSERT OR REPLACE INTO repository SELECT * FROM repository WHERE host = 'gw'",
  ],
  ["publication_append_only", "DELETE FROM publication"],
  ["publication_append_only", "UPDATE publication SET bundle_sha256 = ''"],
  [
    "publication_append_only",
    "INSERT OR REPLACE INTO publication SELECT host, seq, revision, '', at FROM publication WHERE seq = 1",
  ],
];

function appendOnly(h: () => Harness): void {
  test.each(forgeries)("refuses to forge history with %s: %s", async (code, sql) => {
    await expect(h().ports.sql.prepare(sql).run()).rejects.toThrow(code);
  });

  test("still has the history that nobody could forge", async () => {
    expect(await verifyAudit(h().ports.sql)).toMatchObject({ ok: true, seq: 3 });
    expect(await h().count("SELECT count(*) AS n FROM intent")).toBe(5);
  });
}

function history(h: () => Harness): void {
  test("shows auditors who is in which group, and who was, from when to when", async () => {
    const { sql } = h().ports;
    const { results: now } = await sql.prepare("SELECT * FROM firewall_groups").all();
    expect(now).toEqual([
      { overlay: "office", cn: "alice", group_id: "ops", updated_at: aNumber, updated_by: "test" },
    ]);
    const { results: past } = await sql
      .prepare(
        'SELECT group_id, from_revision, to_revision, from_at, to_at, "by" FROM firewall_groups_history ORDER BY from_revision',
      )
      .all();
    expect(past).toEqual([
      {
        group_id: "dev",
        from_revision: 2,
        to_revision: 3,
        from_at: aNumber,
        to_at: aNumber,
        by: "test",
      },
      {
        group_id: "ops",
        from_revision: 3,
        to_revision: null,
        from_at: aNumber,
        to_at: null,
        by: "test",
      },
    ]);
  });

  test("reads intent as it was at any revision", async () => {
    const group = async (revision: number) => {
      const intent = await readIntent(h().ports.sql, revision);
      return intent?.rows.find((row) => row.key === "office/alice")?.body;
    };
    expect(await group(0)).toBeUndefined();
    expect(await group(1)).toBeUndefined();
    expect(await group(2)).toBe('{"addresses":["10.8.0.2"],"group":"dev"}');
    expect(await group(3)).toBe('{"addresses":["10.8.0.2"],"group":"ops"}');
    expect(await readIntent(h().ports.sql, 9000)).toBeUndefined();
  });
}

function writing(h: () => Harness): void {
  test("writes nothing at all for what intent says already", async () => {
    const before = await everything(h());
    const result = await h().commit([
      memberChange("office/alice", "ops", "10.8.0.2"),
      hostChange("gw"),
    ]);
    expect(result).toMatchObject({ ok: true, changed: false, revision: 3 });
    expect(await everything(h())).toEqual(before);
  });

  test("drops a change that says nothing new from a commit that does", async () => {
    const revision = await committed(h(), [
      hostChange("gw"),
      memberChange("office/bob", "dev", "10.8.0.3"),
    ]);
    expect(
      await h().count(`SELECT count(*) AS n FROM intent WHERE from_revision = ${revision}`),
    ).toBe(1);
  });

  test("keeps seq and digest of a host that a commit does not change", async () => {
    const other = () =>
      h()
        .ports.sql.prepare(
          "SELECT seq, bundle_sha256, timestamp_version FROM repository WHERE host = 'other'",
        )
        .first();
    const before = await other();
    const result = await h().commit([memberChange("office/bob", "ops", "10.8.0.3")]);
    expect(result).toMatchObject({ changed: true, hosts: [{ host: "gw" }] });
    expect(await other()).toEqual(before);
  });

  test("stores each bundle under the hash that the repository names", async () => {
    const { results } = await h()
      .ports.sql.prepare("SELECT bundle_sha256, bundle_length FROM repository")
      .all<{
        bundle_sha256: string;
        bundle_length: number;
      }>();
    for (const { bundle_sha256, bundle_length } of results)
      expect((await h().ports.blobs.get(bundle_sha256))?.length).toBe(bundle_length);
  });

  test("writes all of a commit or nothing, when the last statement of its batch fails", async () => {
    const { sql } = h().ports;
    const before = await everything(h());
    const failing: Sql = {
      prepare: (text) => sql.prepare(text),
      // The writer reads in batches of two; what is longer is the commit itself.
      batch: (statements) =>
        sql.batch(
          statements.length > 2 ? [...statements, sql.prepare("DELETE FROM audit")] : statements,
        ),
    };
    const request = Commit.parse({
      message: "m",
      changes: [memberChange("office/zoe", "dev", "10.8.0.99")],
    });
    await expect(commit({ ...h().ports, sql: failing }, "test", request)).rejects.toThrow(
      "audit_append_only",
    );
    expect(await everything(h())).toEqual(before);
  });

  test("takes 5,000 rows in one commit", async () => {
    const members = Array.from({ length: 5000 }, (_, i) =>
      memberChange(
        `big/${"m".repeat(50)}${i}`,
        "dev",
        `10.9.${i >> 8}.${i & 255}`,
        `fd00:9::${(i + 1).toString(16)}`,
      ),
    );
    await committed(h(), [overlayChange("big", "other", 9), ...members]);
    expect(
      await h().count(
        "SELECT count(*) AS n FROM intent WHERE kind = 'member' AND key LIKE 'big/%'",
      ),
    ).toBe(5000);
    await committed(
      h(),
      members.map(({ kind, key }) => ({ op: "delete", kind, key }) as Change),
    );
    expect(await h().count("SELECT count(*) AS n FROM firewall_groups WHERE overlay = 'big'")).toBe(
      0,
    );
  });
}
