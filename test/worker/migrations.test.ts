/** The migrations: what they make, that they carry data along, and that the typed tables say the same. */
import type { DatabaseSync } from "node:sqlite";
import { type Column, getTableColumns, getTableName, is } from "drizzle-orm";
import { SQLiteTable } from "drizzle-orm/sqlite-core";
import { describe, expect, test } from "vitest";
import * as tables from "#worker/db/tables/index.ts";
import { migrate, readMigrations } from "#worker/standalone/migrate.ts";
import { openDatabase } from "#worker/standalone/sql.ts";

const migrations = readMigrations(new URL("../../schema/migrations/", import.meta.url));

function migrated(): DatabaseSync {
  const database = openDatabase(":memory:");
  migrate(database, migrations);
  return database;
}

const names = (database: DatabaseSync, type: string): readonly string[] =>
  database
    .prepare(
      "SELECT name FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .all(type)
    .map((row) => String(row["name"]));

describe("the migrations", () => {
  test("make the tables that drizzle describes, column by column", () => {
    const database = migrated();
    const typed = Object.values(tables).filter((value) => is(value, SQLiteTable));
    const real = names(database, "table").filter((name) => name !== "d1_migrations");
    expect(typed.map(getTableName).sort()).toEqual(real);
    for (const table of typed) {
      const found = database
        .prepare('SELECT name, type, "notnull" AS required, pk FROM pragma_table_info(?)')
        .all(getTableName(table));
      const described = Object.values<Column>(getTableColumns(table)).map((column) => [
        column.name,
        column.getSQLType().toUpperCase(),
        column.notNull,
      ]);
      const made = found.map((row) => [
        row["name"],
        row["type"],
        row["required"] === 1 || Number(row["pk"]) > 0,
      ]);
      expect([getTableName(table), described]).toEqual([getTableName(table), made]);
    }
  });

  test("make strict tables, and give no foreign key a cascade", () => {
    const database = migrated();
    for (const table of names(database, "table").filter((name) => name !== "d1_migrations")) {
      const [info] = database
        .prepare("SELECT strict FROM pragma_table_list WHERE name = ?")
        .all(table);
      expect([table, info?.["strict"]]).toEqual([table, 1]);
      const keys = database
        .prepare("SELECT on_delete, on_update FROM pragma_foreign_key_list(?)")
        .all(table);
      for (const key of keys)
        expect(key).toEqual({ on_delete: "NO ACTION", on_update: "NO ACTION" });
    }
  });

  test("have each trigger on one line with LF, because remote D1 splits at newlines", () => {
    for (const { sql } of migrations) {
      expect(sql).not.toContain("\r");
      for (const line of sql.split("\n").filter((text) => text.includes("TRIGGER")))
        if (!line.startsWith("--")) expect(line).toMatch(/^CREATE TRIGGER .* BEGIN .* END;$/);
    }
  });

  test("drop and rebuild no table: a rebuild takes triggers and children along", () => {
    for (const { sql } of migrations) expect(sql).not.toMatch(/DROP TABLE|__new_|RENAME TO/i);
  });

  test("keep every row and every trigger of a seeded database, after the first one", () => {
    const database = openDatabase(":memory:");
    const [first, ...later] = migrations;
    if (first === undefined) throw new Error("there are no migrations");
    migrate(database, [first]);
    database.exec(`
      INSERT INTO revision VALUES (1, 0, 1, 'seed', NULL, 'api', 'seed');
      INSERT INTO intent (kind, key, body, from_revision, "by", source) VALUES ('host', 'gw', '{"addresses":[]}', 1, 'seed', 'api');
      INSERT INTO audit VALUES (1, 1, 'seed', NULL, 'commit', 1, '{}', '0', '${"a".repeat(64)}');
      INSERT INTO publication VALUES ('gw', 1, 1, '${"b".repeat(64)}', 1);
    `);
    const seeded = ["revision", "intent", "audit", "publication"];
    const rows = () => seeded.map((table) => database.prepare(`SELECT * FROM ${table}`).all());
    const before = rows();
    const triggers = names(database, "trigger");
    migrate(database, [first, ...later]);
    // Later ones may add columns.
    expect(rows()).toMatchObject(before);
    expect(names(database, "trigger")).toEqual(expect.arrayContaining([...triggers]));
  });

  test("make every token from before the first of a line of its own, of a name given twice too", () => {
    const database = openDatabase(":memory:");
    const upTo = migrations.findIndex(({ name }) => name.includes("token_lineage"));
    migrate(database, migrations.slice(0, upTo));
    database.exec(`
      INSERT INTO token VALUES ('a', 'ci', '${"a".repeat(64)}', '["tokens:write"]', 1, 'admin', NULL, 2);
      INSERT INTO token VALUES ('b', 'ci', '${"b".repeat(64)}', '["tokens:write"]', 1, 'token:ci', 9, NULL);
    `);
    migrate(database, migrations);
    const tokens = database
      .prepare("SELECT id, name, revoked_at, parent, ancestor FROM token")
      .all();
    expect(tokens).toEqual([
      { id: "a", name: "ci", revoked_at: 2, parent: null, ancestor: "a" },
      { id: "b", name: "ci", revoked_at: null, parent: null, ancestor: "b" },
    ]);
    const insert = (values: string) => () => database.exec(`INSERT INTO token VALUES (${values})`);
    const [c, sha256] = ["'c', 'new'", `'${"c".repeat(64)}', '[]', 1, 't'`];
    expect(insert(`'c', 'ci', ${sha256}, NULL, NULL, 'b', 'b'`)).toThrow("token_name_once");
    expect(insert(`${c}, ${sha256}, NULL, NULL, 'b', 'a'`)).toThrow("token_line");
    expect(insert(`${c}, ${sha256}, NULL, NULL, 'a', 'a'`)).toThrow("token_line");
    expect(insert(`${c}, ${sha256}, NULL, NULL, 'b', 'b'`)).not.toThrow();
    expect(() => database.exec("UPDATE token SET revoked_at = NULL WHERE id = 'a'")).toThrow(
      "token_line",
    );
  });

  test("leave the newest invitation of each host open, and end those beside it", () => {
    const database = openDatabase(":memory:");
    const upTo = migrations.findIndex(({ name }) => name.includes("invitations"));
    migrate(database, migrations.slice(0, upTo));
    const rows = [
      ["a", "h", 1, "NULL"],
      ["b", "h", 2, "NULL"],
      ["c", "h", 2, "NULL"],
      ["d", "h", 9, "9"],
      ["e", "i", 1, "NULL"],
    ] as const;
    for (const [id, host, at, used] of rows)
      database.exec(
        `INSERT INTO enrolment VALUES ('${id}', '${host}', '${id.repeat(64)}', ${at}, 't', 99, ${used})`,
      );
    migrate(database, migrations);
    const open = database.prepare(
      "SELECT id FROM enrolment WHERE used_at IS NULL AND ended_at IS NULL",
    );
    expect(open.all()).toEqual([{ id: "c" }, { id: "e" }]);
    expect(() => database.exec("UPDATE enrolment SET ended_at = NULL WHERE id = 'a'")).toThrow(
      "enrolment_ended",
    );
  });

  test("give each report to the key that said it, and forget numbers that no host reaches by counting", () => {
    const database = openDatabase(":memory:");
    const upTo = migrations.findIndex(({ name }) => name.includes("report_numbers"));
    migrate(database, migrations.slice(0, upTo));
    database.exec(`
      INSERT INTO enrolment VALUES ('new', 'h', '${"e".repeat(64)}', 1, 't', 9, 9, NULL);
      INSERT INTO identity VALUES ('h', 'k', 100, 'new', 1, NULL, NULL);
      INSERT INTO report VALUES ('h', 7, 99, '{}', NULL);
      INSERT INTO report VALUES ('h', 8, 100, '{}', NULL);
      INSERT INTO report VALUES ('h', ${Number.MAX_SAFE_INTEGER}, 99, '{}', NULL);
      INSERT INTO report VALUES ('alone', 3, 99, '{}', NULL);
    `);
    migrate(database, migrations);
    expect(
      database.prepare("SELECT host, n, enrolment, number FROM report ORDER BY host, n").all(),
    ).toEqual([
      { host: "alone", n: 3, enrolment: null, number: 3 },
      { host: "h", n: 7, enrolment: null, number: 7 },
      { host: "h", n: 8, enrolment: "new", number: 8 },
    ]);
  });

  test("run once: a second start changes nothing", () => {
    const database = migrated();
    migrate(database, migrations);
    expect(database.prepare("SELECT count(*) AS n FROM d1_migrations").get()).toEqual({
      n: migrations.length,
    });
  });
});

describe("a start on a database that was changed by hand", () => {
  test.each([
    ["trigger audit_delete", "DROP TRIGGER audit_delete"],
    [
      "trigger intent_update",
      "DROP TRIGGER intent_update; CREATE TRIGGER intent_update BEFORE UPDATE ON intent BEGIN SELECT 1; END",
    ],
    ["table extra", "CREATE TABLE extra (x)"],
    ["view firewall_groups", "DROP VIEW firewall_groups"],
  ])("is refused, and names the %s", (name, sql) => {
    const database = migrated();
    database.exec(sql);
    expect(() => migrate(database, migrations)).toThrow(name);
  });

  test("leaves no half of a migration behind that fails", () => {
    const database = migrated();
    const broken = {
      name: "9999_broken.sql",
      sql: "CREATE TABLE half (x); CREATE TABLE half (x);",
    };
    expect(() => migrate(database, [...migrations, broken])).toThrow("9999_broken.sql");
    expect(names(database, "table")).not.toContain("half");
  });
});
