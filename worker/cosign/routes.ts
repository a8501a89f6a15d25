/**
 * What waits for operators' signatures: listed, shown with the very bytes that are to be signed and what they point to,
 * and signed. A signer's machine checks and compares by itself; nothing here has to be believed.
 */
import { Hono } from "hono";
import type * as z from "zod";
import type { CosignResponse, PendingDetail, PendingItem } from "#schema/cosign.ts";
import { nothingWaits, takeSignatures } from "./signatures.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { type Pending, readRootInForce, signaturesOf } from "#worker/signing/index.ts";
import { listPending, readPending, readRepository } from "#worker/served/index.ts";
import { authorOf } from "#worker/tokens/index.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { iso, makePage } from "#worker/http/views.ts";

export function routeCosign(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /v1/cosign", async (c, { query }) => {
    const { limit, cursor = "" } = query;
    const view = await makeViewer(ports);
    const rows = await listPending(ports.sql, cursor, limit);
    return c.json(makePage(rows, limit, view, ({ host }) => host));
  });
  serveRoute(api, "GET /v1/cosign/:host", async (c, { params }) => {
    const { host } = params;
    const pending = await readPending(ports.sql, host);
    if (pending === undefined) throw new Refused("not_found", nothingWaits);
    const view = await makeViewer(ports);
    const served = await readRepository(ports.sql, host);
    return c.json({
      ...view(pending),
      targets: pending.targets,
      bundle: await readBundleText(ports, pending.bundle_sha256),
      served:
        served === undefined
          ? null
          : { targets: served.targets, bundle: await readBundleText(ports, served.bundle_sha256) },
    } satisfies PendingDetail);
  });
  serveRoute(api, "PUT /v1/cosign/:host", async (c, { params, body }) => {
    const { seq, signatures } = body;
    const { host } = params;
    const taken = await takeSignatures(ports, authorOf(c), host, seq, signatures);
    const view = await makeViewer(ports);
    return c.json({ ...view(taken.pending), published: taken.published } satisfies CosignResponse);
  });
  return api;
}

async function makeViewer(
  ports: Ports,
): Promise<(pending: Pending) => z.infer<typeof PendingItem>> {
  const root = await readRootInForce(ports.sql);
  if (root === undefined) throw new Refused("root_missing");
  return (pending) => ({
    host: pending.host,
    seq: pending.seq,
    revision: pending.revision,
    bundle_sha256: pending.bundle_sha256,
    expires_at: iso(pending.targets_expires_at),
    at: iso(pending.at),
    signed_by: signaturesOf(pending, root.signed).map(({ keyid }) => keyid),
    threshold: root.signed.roles.targets.threshold,
  });
}

async function readBundleText(ports: Ports, sha256: string): Promise<string> {
  const bytes = await ports.blobs.get(sha256);
  if (bytes === undefined) throw new Error("a bundle is missing from the blobs");
  return new TextDecoder().decode(bytes);
}
