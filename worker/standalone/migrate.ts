/**
 * Brings a database to the schema of schema/migrations, in order, each file whole or not at all, recorded in the table
 * that wrangler uses. Then compares every table, index, view and trigger with a fresh database: a missing trigger
 * would quietly take the append-only promise away.
 */
import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { compareText } from "#schema/order.ts";

const record =
  "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)";

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** The migrations of a directory, by name. */
export function readMigrations(directory: URL): readonly Migration[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(".sql"))
    .sort(compareText)
    .map((name) => ({ name, sql: readFileSync(new URL(name, directory), "utf8") }));
}

/**
 * Applies what is missing.
 * @throws Error when the result is not what the same migrations make of an empty database
 */
export function migrate(database: DatabaseSync, migrations: readonly Migration[]): void {
  apply(database, migrations);
  const fresh = new DatabaseSync(":memory:");
  apply(fresh, migrations);
  const expected = readObjects(fresh);
  fresh.close();
  const found = readObjects(database);
  const names = new Set([...expected.keys(), ...found.keys()]);
  const wrong = [...names]
    .filter((name) => expected.get(name) !== found.get(name))
    .sort(compareText);
  if (wrong.length > 0)
    throw new Error(
      `the database was changed by hand: expected other definitions of ${wrong.join(", ")}`,
    );
}

function apply(database: DatabaseSync, migrations: readonly Migration[]): void {
  database.exec(record);
  const seen = new Set(
    database
      .prepare("SELECT name FROM d1_migrations")
      .all()
      .map((row) => row["name"]),
  );
  for (const { name, sql } of migrations.filter((migration) => !seen.has(migration.name))) {
    database.exec("BEGIN IMMEDIATE");
    try {
      database.exec(sql);
      database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").run(name);
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw new Error(`migration ${name} failed`, { cause: error });
    }
  }
}

/** Definitions of everything in a database, by kind and name. */
function readObjects(database: DatabaseSync): ReadonlyMap<string, string> {
  const rows = database
    .prepare("SELECT type || ' ' || name AS name, coalesce(sql, '') AS sql FROM sqlite_master")
    .all();
  return new Map(rows.map((row) => [String(row["name"]), String(row["sql"])]));
}
