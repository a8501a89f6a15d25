/**
 * The D1 API over node:sqlite, with D1's own limits, so that what runs here runs there. One connection; every
 * statement runs at once, and a batch is one transaction.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { Sql } from "#worker/ports/index.ts";

type Prepared = ReturnType<Sql["prepare"]>;
type Results<T> = Awaited<ReturnType<Prepared["all"]>> & { results: T[] };

/**
 * What D1 refuses, here too (Cloudflare docs, D1 platform limits; workerd src/workerd/util/sqlite.c++). Its row, text and
 * blob are bounded by `length`, its statement by `sqlLength`, its parameters by `variableNumber`.
 */
const limits = {
  length: 2_000_000,
  sqlLength: 100_000,
  column: 100,
  exprDepth: 100,
  compoundSelect: 5,
  vdbeOp: 25_000,
  functionArg: 32,
  attach: 0,
  likePatternLength: 50,
  variableNumber: 100,
  triggerDepth: 10,
} as const;
/** Bytes of one answer, and statements of one batch: an invocation may ask a thousand. */
const answerBytesMax = 50_000_000;
const batchMax = 1000;

/** Opens or makes a database file (`:memory:` for one that dies with the process). */
export function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, limits });
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;",
  );
  return database;
}

/** D1's API over an open database. */
export function openSql(database: DatabaseSync): Sql {
  const connection = new Connection(database);
  return {
    prepare: (text) => new Statement(connection, text, []),
    batch: async <T>(statements: Prepared[]) => {
      if (statements.length > batchMax)
        throw new Error(`D1_ERROR: more than ${batchMax} statements in a batch`);
      // What only reads waits for no writer of another process.
      connection.exec(
        statements.every((statement) => own(statement).reads) ? "BEGIN" : "BEGIN IMMEDIATE",
      );
      try {
        const results = statements.map((statement) => own(statement).execute() as Results<T>);
        connection.exec("COMMIT");
        return results;
      } catch (error) {
        if (database.isTransaction) connection.exec("ROLLBACK");
        throw error;
      }
    },
    inTurn: queue(),
  };
}

/** One after the other, in the order they came; one that fails does not stop the next. */
function queue(): NonNullable<Sql["inTurn"]> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** A batch takes only what this adapter prepared. */
function own(statement: Prepared): Statement {
  if (statement instanceof Statement) return statement;
  throw new TypeError("a statement of another database");
}

/** The database with its compiled statements, and its errors in D1's words. */
class Connection {
  readonly #database: DatabaseSync;
  readonly #compiled = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  exec(text: string): void {
    runWorded(() => this.#database.exec(text));
  }

  use<T>(text: string, run: (statement: StatementSync) => T): T {
    return runWorded(() => run(this.#compile(text)));
  }

  /** Rows changed since the connection opened. */
  changes(): number {
    return this.use("SELECT total_changes() AS n", (statement) => Number(statement.get()?.["n"]));
  }

  #compile(text: string): StatementSync {
    const known = this.#compiled.get(text);
    if (known !== undefined) return known;
    if (this.#compiled.size >= 256) this.#compiled.clear();
    const statement = this.#database.prepare(text);
    this.#compiled.set(text, statement);
    return statement;
  }
}

class Statement implements Prepared {
  readonly #connection: Connection;
  readonly #text: string;
  readonly #values: readonly SQLInputValue[];

  constructor(connection: Connection, text: string, values: readonly SQLInputValue[]) {
    this.#connection = connection;
    this.#text = text;
    this.#values = values;
  }

  bind(...values: unknown[]): Prepared {
    return new Statement(this.#connection, this.#text, values.map(toBindable));
  }

  /** It is a query alone. What begins otherwise, such as WITH, may be one too, and is taken for a change. */
  get reads(): boolean {
    return /^\s*select\s/i.test(this.#text);
  }

  /** Runs the statement, and says what D1 says about it. */
  execute(): Results<Record<string, unknown>> {
    const { reads } = this;
    const before = reads ? 0 : this.#connection.changes();
    const started = performance.now();
    const results = this.#connection.use(this.#text, (statement) => {
      statement.setReturnArrays(false);
      return requireBounded(statement.all(...this.#values));
    });
    const changes = reads ? 0 : this.#connection.changes() - before;
    const meta = {
      duration: performance.now() - started,
      changes,
      changed_db: changes > 0,
      last_row_id: 0,
      rows_read: 0,
      rows_written: changes,
      size_after: 0,
    };
    return { success: true, results, meta };
  }

  async all<T = Record<string, unknown>>(): Promise<Results<T>> {
    return this.execute() as Results<T>;
  }

  async run<T = Record<string, unknown>>(): Promise<Results<T>> {
    return this.execute() as Results<T>;
  }

  async first<T = unknown>(column?: string): Promise<T | null> {
    const [row] = this.execute().results;
    if (row === undefined) return null;
    if (column === undefined) return row as T;
    if (!Object.hasOwn(row, column)) throw new Error(`D1_COLUMN_NOTFOUND: ${column}`);
    return row[column] as T;
  }

  raw<T = unknown[]>(options: { columnNames: true }): Promise<[string[], ...T[]]>;
  raw<T = unknown[]>(options?: { columnNames?: false }): Promise<T[]>;
  async raw<T>(options?: { columnNames?: boolean }): Promise<T[] | [string[], ...T[]]> {
    return this.#connection.use(this.#text, (statement) => {
      statement.setReturnArrays(true);
      const rows = requireBounded(statement.all(...this.#values)) as T[];
      return options?.columnNames === true
        ? [statement.columns().map(({ name }) => name), ...rows]
        : rows;
    });
  }
}

/** The rows, where they are no more than one answer of D1's holds: fewer than these cannot be. */
function requireBounded<T extends object>(rows: T[]): T[] {
  if (rows.length * limits.length <= answerBytesMax) return rows;
  let bytes = 0;
  for (const row of rows)
    for (const value of Object.values(row) as readonly unknown[]) bytes += sizeOf(value);
  if (bytes > answerBytesMax) throw new Error(`an answer of more than ${answerBytesMax} bytes`);
  return rows;
}

/** At least: what is not ASCII takes more. */
function sizeOf(value: unknown): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length;
  return 8;
}

/** What D1 can bind: no undefined, and integers as numbers. */
function toBindable(value: unknown): SQLInputValue {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`D1_TYPE_ERROR: type '${typeof value}' is not supported`);
}

/** Errors as D1 gives them: SQLite's text inside a message of its own. */
function runWorded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`D1_ERROR: ${message}`, { cause: error });
  }
}
