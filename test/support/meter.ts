/**
 * The store behind a meter: statements by their text, rows read and rows written. Rows are what the adapter itself says
 * (D1's `meta`, which is what is paid for), and never fewer than it gave: node:sqlite does not tell what it looked at.
 */
import type { Sql } from "#worker/ports/index.ts";

type Prepared = ReturnType<Sql["prepare"]>;
type Results<T> = Awaited<ReturnType<Prepared["all"]>> & { results: T[] };

export interface Reading {
  readonly statements: number;
  readonly read: number;
  readonly written: number;
}

export interface Meter {
  readonly sql: Sql;
  /** Since it was opened. */
  reading(): Reading;
  /** How often each text has run. */
  texts(): ReadonlyMap<string, number>;
}

export const since = (now: Reading, before: Reading): Reading => ({
  statements: now.statements - before.statements,
  read: now.read - before.read,
  written: now.written - before.written,
});

export function openMeter(sql: Sql): Meter {
  const total = { statements: 0, read: 0, written: 0 };
  const texts = new Map<string, number>();
  const count = <T>(text: string, result: Results<T>): Results<T> => {
    total.statements += 1;
    total.read += Math.max(result.meta.rows_read, result.results.length);
    total.written += result.meta.rows_written;
    texts.set(text, (texts.get(text) ?? 0) + 1);
    return result;
  };
  const metered: Sql = {
    ...(sql.inTurn === undefined ? {} : { inTurn: sql.inTurn }),
    prepare: (text) => new Metered(text, sql.prepare(text), count),
    async batch<T>(statements: Prepared[]) {
      const own = statements.map(ours);
      const results = await sql.batch<T>(own.map(({ inner }) => inner));
      return results.map((result, i) => count(own[i]?.text ?? "", result));
    },
  };
  return { sql: metered, reading: () => ({ ...total }), texts: () => new Map(texts) };
}

function ours(statement: Prepared): Metered {
  if (statement instanceof Metered) return statement;
  throw new TypeError("a statement of another store");
}

type Count = <T>(text: string, result: Results<T>) => Results<T>;

class Metered implements Prepared {
  readonly text: string;
  readonly inner: Prepared;
  readonly #count: Count;

  constructor(text: string, inner: Prepared, count: Count) {
    this.text = text;
    this.inner = inner;
    this.#count = count;
  }

  bind(...values: unknown[]): Prepared {
    return new Metered(this.text, this.inner.bind(...values), this.#count);
  }

  async all<T = Record<string, unknown>>(): Promise<Results<T>> {
    return this.#count(this.text, (await this.inner.all<T>()) as Results<T>);
  }

  async run<T = Record<string, unknown>>(): Promise<Results<T>> {
    return this.all<T>();
  }

  async first<T = unknown>(column?: string): Promise<T | null> {
    const [row] = (await this.all<Record<string, unknown>>()).results;
    if (row === undefined) return null;
    return (column === undefined ? row : row[column]) as T;
  }

  raw<T = unknown[]>(options: { columnNames: true }): Promise<[string[], ...T[]]>;
  raw<T = unknown[]>(options?: { columnNames?: false }): Promise<T[]>;
  /** From objects, as only these come with a count: no query of the store names a column twice. */
  async raw<T>(options?: { columnNames?: boolean }): Promise<T[] | [string[], ...T[]]> {
    const { results }: { results: Record<string, unknown>[] } = await this.all();
    const rows = results.map((row) => Object.values(row) as T);
    return options?.columnNames === true ? [Object.keys(results[0] ?? {}), ...rows] : rows;
  }
}
