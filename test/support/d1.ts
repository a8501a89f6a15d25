/**
 * D1 on Cloudflare's own runtime, for a process outside of it: a worker there runs each batch whole, because the
 * runtime's own stand-ins ask it at every `prepare` and `bind`. Errors are D1's; must be closed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import type { Sql } from "#worker/ports/index.ts";

type Prepared = ReturnType<Sql["prepare"]>;
type Results<T> = Awaited<ReturnType<Prepared["all"]>> & { results: T[] };
type Run = (statements: readonly Remote[]) => Promise<readonly unknown[]>;

const script = `export default {
  async fetch(request, { DB }) {
    const statements = (await request.json()).map(([text, values]) => DB.prepare(text).bind(...values));
    try {
      return Response.json(await DB.batch(statements));
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};`;

export interface RemoteD1 {
  /** `raw` and `first` of a column are not there: a meter over it has them. */
  readonly sql: Sql;
  readonly close: () => Promise<void>;
}

export function openRemoteD1(): RemoteD1 {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-d1-"));
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script,
      compatibilityDate: "2026-11-01",
      cf: false,
      telemetry: { enabled: false },
      d1Databases: ["DB"],
      resourcePersistencePath: folder,
    }),
  );
  const run: Run = async (statements) => {
    const body = JSON.stringify(statements.map(({ text, values }) => [text, values]));
    const response = await runtime.dispatchFetch("http://d1/", { method: "POST", body });
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as readonly unknown[];
  };
  return {
    sql: {
      prepare: (text) => new Remote(run, text, []),
      batch: async <T>(statements: Prepared[]) =>
        (await run(statements.map(remote))) as Results<T>[],
    },
    async close() {
      await runtime.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function remote(statement: Prepared): Remote {
  if (statement instanceof Remote) return statement;
  throw new TypeError("a statement of another database");
}

class Remote implements Prepared {
  readonly #run: Run;
  readonly text: string;
  readonly values: readonly unknown[];

  constructor(run: Run, text: string, values: readonly unknown[]) {
    this.#run = run;
    this.text = text;
    this.values = values;
  }

  bind(...values: unknown[]): Prepared {
    return new Remote(this.#run, this.text, values);
  }

  async all<T = Record<string, unknown>>(): Promise<Results<T>> {
    const [result] = await this.#run([this]);
    return result as Results<T>;
  }

  run<T = Record<string, unknown>>(): Promise<Results<T>> {
    return this.all<T>();
  }

  first(): Promise<never> {
    return Promise.reject(new Error("asked of the meter"));
  }

  raw(): Promise<never> {
    return Promise.reject(new Error("asked of the meter"));
  }
}
