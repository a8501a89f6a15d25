/**
 * The root of trust: what a ceremony needs to know, the chain as exact bytes for everybody, and the one way to extend
 * it. A root is checked as an agent would check it before it is stored, because the chain is served for ever.
 */
import { type Context, Hono } from "hono";
import { keyIdOf, type RootFile } from "#core/tuf/read.ts";
import type { OnlineKeySet, StoredRoot } from "#schema/api/trust.ts";
import type { TufKey } from "#schema/tuf.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { checkSuccessor, listOnlineKeys, readRoot, type RootRefusal } from "./root.ts";
import { writeAudited, type Author } from "#worker/db/audit.ts";
import { raiseGeneration } from "#worker/db/fleet.ts";
import {
  insertRoot,
  readLatestRoot,
  readRootByVersion,
  type StoredRoot as RootRow,
} from "./root-rows.ts";
import { serveRoute } from "#worker/http/serve.ts";
import { authorOf } from "#worker/tokens/index.ts";
import type { AppEnv } from "#worker/http/env.ts";

export function routeRoot(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /v1/root/keys", async (c) => c.json(await describeKeys(ports)));
  serveRoute(api, "GET /v1/root", async (c) =>
    answerExactBytes(c, await readLatestRoot(ports.sql), "root_missing"),
  );
  serveRoute(api, "GET /v1/root/:version", async (c, { params }) =>
    answerExactBytes(c, await readRootByVersion(ports.sql, params.version), "not_found"),
  );
  serveRoute(api, "PUT /v1/root", async (c, { body }) => {
    const read = readRoot(body.root);
    if (!read.ok) throw refuseRoot(read);
    const { created, ...stored } = await putRoot(ports, body.root, read.root, authorOf(c));
    return c.json(stored satisfies StoredRoot, created ? 201 : 200);
  });
  return api;
}

async function describeKeys(ports: Ports): Promise<OnlineKeySet> {
  const keys = await listOnlineKeys(ports.signer);
  const nameKey = (key: TufKey) => ({ keyid: keyIdOf(key), key });
  return {
    fleet: ports.settings.fleet,
    keys: {
      targets: nameKey(keys.targets),
      snapshot: nameKey(keys.snapshot),
      timestamp: nameKey(keys.timestamp),
    },
  };
}

/** Putting the root in force again changes nothing. */
async function putRoot(ports: Ports, text: string, next: RootFile, actor: Author) {
  const sha256 = await hashSha256(text);
  const { version } = next.signed;
  return writeAudited(ports.sql, async () => {
    const at = ports.clock.now();
    const stored = await readLatestRoot(ports.sql);
    if (stored?.sha256 === sha256)
      return { write: false, result: { created: false, version, sha256 } };
    const check = await checkSuccessor(reread(stored), next, at, ports.signer);
    if (!check.ok) throw refuseRoot(check);
    return {
      write: true,
      entry: {
        at,
        actor,
        on_behalf_of: null,
        action: "root.put",
        revision: null,
        body: { version, sha256 },
      },
      statements: [
        raiseGeneration(ports.sql),
        insertRoot(ports.sql, { version, body: text, sha256, at }),
      ],
      result: { created: true, version, sha256 },
    };
  });
}

/** @throws Refused `conflict` when the root in force is one that no agent reads, as an earlier version may have stored it */
function reread(stored: RootRow | undefined): RootFile | undefined {
  if (stored === undefined) return undefined;
  const read = readRoot(stored.body);
  if (read.ok) return read.root;
  const message = `the root in force, version ${stored.version}, is one that no agent reads: ${read.message}`;
  throw new Refused("conflict", { errors: [{ path: "/root", code: read.code, message }] });
}

const refuseRoot = ({ code, message }: RootRefusal): Refused =>
  new Refused(code === "root_version" ? "conflict" : "bad_request", {
    errors: [{ path: "/root", code, message }],
  });

function answerExactBytes(
  c: Context<AppEnv>,
  stored: RootRow | undefined,
  missing: "root_missing" | "not_found",
): Response {
  if (stored === undefined) throw new Refused(missing);
  return c.body(stored.body, 200, {
    "Content-Type": "application/json",
    "Cache-Control": "no-cache, no-transform",
  });
}
