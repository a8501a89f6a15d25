/** The Cloudflare adapter as the tests' own worker has it: real D1, migrated, and real R2. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { openEnv } from "#worker/env.ts";
import type { Adapter } from "#test/worker/contract/harness.ts";

/** What vitest.workerd.config.ts binds besides wrangler.toml. */
interface TestEnv {
  readonly DB: D1Database;
  readonly MIGRATIONS: D1Migration[];
  readonly ADMIN_TOKEN: string;
}

export async function openD1(): Promise<Adapter> {
  const { DB, MIGRATIONS, ADMIN_TOKEN } = env as unknown as TestEnv;
  await applyD1Migrations(DB, MIGRATIONS);
  return { ports: openEnv(env), admin: ADMIN_TOKEN, close: async () => {} };
}
