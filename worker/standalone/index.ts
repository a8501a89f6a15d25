/**
 * The control plane as one Node process: ports on node:sqlite, a directory and a timer. The embedded default, and the
 * same app as on Workers.
 */
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { Key } from "#schema/primitives.ts";
import { longestLife } from "#schema/tuf.ts";
import { type App, createApp } from "../app.ts";
import { maintain } from "#worker/maintenance/index.ts";
import type { Clock, Ports } from "#worker/ports/index.ts";
import { Retention } from "#worker/ports/retention.ts";
import { createSigner } from "#worker/ports/signer.ts";
import { openBlobs } from "./blobs.ts";
import { openDeployment } from "./deployment.ts";
import { keepPrivate, sweepUnfinished } from "./files.ts";
import { type Endpoint, listen, type Listener } from "./listen.ts";
import { migrate, readMigrations } from "./migrate.ts";
import { type AdminToken, openAdminToken } from "./secrets.ts";
import { openDatabase, openSql } from "./sql.ts";

export interface StandaloneOptions {
  /** Everything is kept here: database, blobs, keys, first token. Made if it is not there. */
  readonly data: string;
  readonly fleet: string;
  readonly endpoints: readonly Endpoint[];
  /** Timestamp lifetime, 900–604,800; 24 hours by default. */
  readonly leaseSeconds?: number;
  /** What agents are asked to wait between polls, 5–900; 30 by default. */
  readonly pollSeconds?: number;
  /** `staged`: what changes hosts goes through a rollout; `open` by default. */
  readonly release?: "open" | "staged";
  /** Between two runs of maintenance, which moves rollouts on and renews leases, 1–60; 60 by default. */
  readonly maintainSeconds?: number;
  /** How long reports, answers and bundles are kept; each has a default. */
  readonly retention?: Partial<Retention>;
  /** `new`: the online keys are to be others than hosts trust, until a root names them; `known` by default. */
  readonly keys?: "known" | "new";
  readonly clock?: Clock;
}

export interface Standalone {
  readonly ports: Ports;
  readonly app: App;
  /** One per endpoint, in order. */
  readonly urls: readonly string[];
  readonly admin: AdminToken;
  /** Stops listening, waits for requests and maintenance under way, closes the database. */
  readonly close: () => Promise<void>;
}

const Limits = z.object({
  fleet: Key,
  leaseSeconds: z
    .int()
    .min(900)
    .max(longestLife.timestamp / 1000)
    .default(86_400),
  pollSeconds: z.int().min(5).max(900).default(30),
  release: z.enum(["open", "staged"]).default("open"),
  maintainSeconds: z.int().min(1).max(60).default(60),
  retention: Retention.prefault({}),
});

function requireLimits(options: StandaloneOptions): z.infer<typeof Limits> {
  const parsed = Limits.safeParse(options);
  if (parsed.success) return parsed.data;
  throw new Error(
    parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
  );
}

const migrations = new URL("../../schema/migrations/", import.meta.url);

/** Opens everything and listens. @throws Error with one sentence for the operator */
export async function openStandalone(options: StandaloneOptions): Promise<Standalone> {
  const { fleet, leaseSeconds, pollSeconds, release, retention, maintainSeconds } =
    requireLimits(options);
  await mkdir(options.data, { recursive: true, mode: 0o700 });
  await sweepUnfinished(options.data);
  const database = openDatabase(await openPrivateDatabase(options.data));
  try {
    migrate(database, readMigrations(migrations));
    const sql = openSql(database);
    const secrets = await openDeployment(sql, {
      data: options.data,
      fleet,
      keys: options.keys ?? "known",
    });
    const admin = await openAdminToken(options.data);
    const ports: Ports = {
      sql,
      blobs: openBlobs(join(options.data, "blobs")),
      clock: options.clock ?? { now: () => Date.now() },
      signer: createSigner(secrets.signing_keys, secrets.token_secret),
      settings: {
        fleet,
        adminTokenSha256: admin.sha256,
        leaseSeconds,
        pollSeconds,
        release,
        retention,
      },
    };
    const app = createApp(ports);
    const listeners = await listenAll(app, options.endpoints);
    const timer = repeat(maintainSeconds, () => maintain(ports));
    const sightings = repeat(maintainSeconds, async () => app.sightings.writeDue());
    const close = async (): Promise<void> => {
      await Promise.all([
        ...listeners.map((listener) => listener.close()),
        timer.stop(),
        sightings.stop(),
      ]);
      database.close();
    };
    return { ports, app, urls: listeners.map(({ url }) => url), admin, close };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Makes the file before SQLite does, which gives its own two beside it the same permissions. */
async function openPrivateDatabase(data: string): Promise<string> {
  const file = join(data, "portcullis.sqlite");
  await (await open(file, "a", 0o600)).close();
  for (const end of ["", "-wal", "-shm"]) await keepPrivate(`${file}${end}`);
  return file;
}

/** All of them or none. */
async function listenAll(app: App, endpoints: readonly Endpoint[]): Promise<readonly Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const endpoint of endpoints) listeners.push(await listen(app, endpoint));
    return listeners;
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close()));
    throw error;
  }
}

/** Runs a task again and again, never twice at once; a failure is logged and the next time tries again. */
function repeat(seconds: number, task: () => Promise<void>): { stop(): Promise<void> } {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= task()
      .catch((error: unknown) =>
        console.error(error instanceof Error ? error.message : String(error)),
      )
      .finally(() => {
        running = undefined;
      });
  }, seconds * 1000);
  timer.unref();
  return {
    stop: async () => {
      clearInterval(timer);
      await running;
    },
  };
}
