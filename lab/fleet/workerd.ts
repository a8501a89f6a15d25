/**
 * The control plane on Cloudflare's own runtime: the worker bundled as for a deployment, on miniflare with D1 and R2
 * under the data folder. Everything comes from node_modules; nothing is fetched.
 */
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop as stopEsbuild } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import type { Sql } from "#worker/ports/index.ts";
import { openAdminToken, openSecrets } from "#worker/standalone/secrets.ts";
import { openApi } from "./api.ts";
import { listChildProcesses } from "#lab/run/process.ts";
import { type ControlPlane, fleet, leaseSeconds, pollSeconds } from "./settings.ts";

const entry = fileURLToPath(new URL("../../worker/index.ts", import.meta.url));
const migrations = fileURLToPath(new URL("../../schema/migrations/", import.meta.url));

/** @param started hears the pid of the runtime, which would outlive a killed lab */
export async function openWorkerd(
  options: { readonly data: string; readonly port: number },
  started: (pid: number) => void,
): Promise<ControlPlane> {
  const folder = options.data;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
  process.env["WRANGLER_SEND_METRICS"] = "false";
  const secrets = await openSecrets(folder);
  const admin = await openAdminToken(folder);
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: await buildWorker(),
      compatibilityDate: "2026-11-01",
      host: "127.0.0.1",
      port: options.port,
      cf: false,
      telemetry: { enabled: false },
      d1Databases: ["DB"],
      r2Buckets: ["BUNDLES"],
      resourcePersistencePath: join(folder, "storage"),
      bindings: {
        FLEET: fleet,
        LEASE_SECONDS: `${leaseSeconds}`,
        POLL_SECONDS: `${pollSeconds}`,
        SIGNING_KEYS: JSON.stringify(secrets.signing_keys),
        TOKEN_SECRET: secrets.token_secret,
        ADMIN_TOKEN_SHA256: admin.sha256,
      },
    }),
  );
  const url = (await runtime.ready).origin;
  for (const pid of listChildProcesses()) started(pid);
  await migrate(await runtime.getD1Database("DB"));
  const close = (): Promise<void> => runtime.dispose();
  return {
    url,
    port: Number(new URL(url).port),
    tokenFile: admin.file,
    api: openApi(url, admin.token),
    close,
  };
}

async function buildWorker(): Promise<string> {
  const built = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*"],
    conditions: ["workerd", "worker", "browser"],
    logLevel: "silent",
  });
  await stopEsbuild();
  const [file] = built.outputFiles;
  if (file === undefined) throw new Error("the worker did not bundle");
  return file.text;
}

/** A new database gets the migrations, one statement a line or up to the line that ends in `;`. */
export async function migrate(database: Sql): Promise<void> {
  const present = await database
    .prepare("SELECT name FROM sqlite_schema WHERE name = 'fleet'")
    .first();
  if (present !== null) return;
  const files = readdirSync(migrations)
    .filter((name) => name.endsWith(".sql"))
    .toSorted();
  const text = files.map((name) => readFileSync(join(migrations, name), "utf8")).join("\n");
  const code = text
    .split("\n")
    .filter((line) => !line.startsWith("--"))
    .join("\n");
  const statements = code.split(/;\n/).map((statement) => statement.trim());
  await database.batch(
    statements.filter((statement) => statement !== "").map((sql) => database.prepare(sql)),
  );
}
