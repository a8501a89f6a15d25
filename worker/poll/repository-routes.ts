/**
 * Each host's repository once more, as a plain TUF repository with consistent snapshots: for stock clients and for an
 * operator's audit. A host sees its own; another's is as if it were not there.
 */
import { type Context, Hono } from "hono";
import type { HostCredentials } from "#worker/hosts/index.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { type Repository, readRootByVersion } from "#worker/signing/index.ts";
import { readRepository, wasPublished } from "#worker/served/index.ts";
import { callerOf } from "./routes.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";

export function routeRepository(ports: Ports, credentials: HostCredentials): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /v1/hosts/:host/repo/metadata/:file", async (c, { params }) => {
    const { host, file } = params;
    await onlyReaderOf(c, credentials, host);
    return answerExact(c, await readMetadata(ports, host, file));
  });
  serveRoute(api, "GET /v1/hosts/:host/repo/targets/:file", async (c, { params }) => {
    const { host, file } = params;
    await onlyReaderOf(c, credentials, host);
    const sha256 = file.slice(0, 64);
    const published = await wasPublished(ports.sql, host, sha256);
    return answerExact(c, published ? await ports.blobs.get(sha256) : undefined);
  });
  return api;
}

/** An operator was let in by scope before; a host must be the one it asks for. */
async function onlyReaderOf(
  c: Context<AppEnv>,
  credentials: HostCredentials,
  host: string,
): Promise<void> {
  if (c.get("principal") !== undefined) return;
  const caller = await callerOf(c, credentials);
  if (caller.host !== host) throw new Refused("not_found");
}

/** The file as served now; versions before are gone, but for roots. */
async function readMetadata(ports: Ports, host: string, file: string): Promise<string | undefined> {
  const current = await readRepository(ports.sql, host);
  if (current === undefined) return undefined;
  const [version = "", role = ""] = file.split(".");
  if (role === "root") return (await readRootByVersion(ports.sql, Number(version)))?.body;
  return namesOf(current).get(file);
}

const namesOf = (current: Repository): ReadonlyMap<string, string> =>
  new Map([
    ["timestamp.json", current.timestamp],
    [`${current.snapshot_version}.snapshot.json`, current.snapshot],
    [`${current.seq}.targets.json`, current.targets],
  ]);

function answerExact(
  c: Context<AppEnv>,
  content: string | Uint8Array<ArrayBuffer> | undefined,
): Response {
  if (content === undefined) throw new Refused("not_found");
  return c.body(content, 200, {
    "Content-Type": "application/json",
    "Cache-Control": "private, no-cache, no-transform",
  });
}
