/** The Cloudflare adapter as the tests' own worker has it: real D1, migrated, and real R2. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { openEnv } from "#worker/env.ts";
import type { Adapter } from "#test/worker/contract/harness.ts";

/** What vitest.workerd.config.ts binds besides wrangler.toml. */
interface TestEnv {
  readonly BUNDLES: R2Bucket;
  readonly DB: D1Database;
  readonly MIGRATIONS: D1Migration[];
  readonly ADMIN_TOKEN: string;
}

export async function openD1(): Promise<Adapter> {
  const { BUNDLES, DB, MIGRATIONS, ADMIN_TOKEN } = env as unknown as TestEnv;
  await applyD1Migrations(DB, MIGRATIONS);
  const damage = async (sha256: string): Promise<void> => {
    const object = await BUNDLES.get(`bundles/${sha256}`);
    const bytes = new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(1));
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await BUNDLES.put(`bundles/${sha256}`, bytes);
  };
  return { ports: openEnv(env), admin: ADMIN_TOKEN, damage, close: async () => {} };
}
