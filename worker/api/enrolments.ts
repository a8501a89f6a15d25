/**
 * Enrolment: an operator makes a one-time token for one declared host, and the host trades it, once, for its identity.
 * The use of the token, the identity and the audit row are one batch: all of it or nothing.
 */
import { Hono } from "hono";
import type { Enrolment, EnrolmentRequest } from "#schema/api/trust.ts";
import type { EnrolRequest, EnrolResponse } from "#schema/wire.ts";
import { enrolProof } from "#schema/wire.ts";
import { fromBase64Url, sha256Hex, toBase64Url, toHex } from "../encoding.ts";
import type { Fleet } from "../fleet.ts";
import type { Ports } from "../ports.ts";
import { Refused } from "../problem.ts";
import { verifyEd25519 } from "../publish/root.ts";
import { audited } from "../store/audit.ts";
import { claimEnrolment, findEnrolment, insertEnrolment, isDeclaredHost } from "../store/enrolment.ts";
import { raiseGeneration } from "../store/fleet.ts";
import { findIdentity, putIdentity, revokeIdentity } from "../store/identity.ts";
import { isStoredRoot, latestRoot } from "../store/root.ts";
import { serve } from "./serve.ts";
import { principalOf } from "./authorize.ts";
import type { AppEnv } from "./env.ts";

export function enrolments(ports: Ports, fleet: Fleet): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serve(api, "POST /v1/enrolments", async (c, { body }) =>
    c.json(await makeEnrolment(ports, body, principalOf(c).name), 201),
  );
  serve(api, "POST /v1/agent/enrol", async (c, { body }) => {
    const host = await enrolHost(ports, body);
    fleet.expire();
    return c.json({ host, fleet: ports.settings.fleet } satisfies EnrolResponse, 201);
  });
  serve(api, "DELETE /v1/hosts/:host/identity", async (c, { params }) => {
    await revokeHost(ports, params.host, principalOf(c).name);
    return c.body(null, 204);
  });
  return api;
}

const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));

async function makeEnrolment(ports: Ports, request: EnrolmentRequest, actor: string): Promise<Enrolment> {
  const { host, ttl_seconds, on_behalf_of = null } = request;
  const id = toHex(random(8));
  const token = `pce_${toBase64Url(random(32))}`;
  const sha256 = await sha256Hex(token);
  return audited(ports.sql, async () => {
    const root = await latestRoot(ports.sql);
    if (root === undefined) throw new Refused("root_missing");
    if (!(await isDeclaredHost(ports.sql, host))) throw new Refused("not_found");
    const at = ports.clock.now();
    const expires = at + ttl_seconds * 1000;
    const row = { id, host, sha256, created_at: at, created_by: actor, expires_at: expires, used_at: null };
    const body = { enrolment: id, host, expires_at: expires };
    return {
      write: true,
      entry: { at, actor, on_behalf_of, action: "enrolment.create", revision: null, body },
      statements: [insertEnrolment(ports.sql, row)],
      result: {
        id,
        host,
        token,
        expires_at: new Date(expires).toISOString(),
        root_version: root.version,
        root_sha256: root.sha256,
      },
    };
  });
}

/** @returns the host. @throws Refused: one answer for every token that was never good or is over */
async function enrolHost(ports: Ports, request: EnrolRequest): Promise<string> {
  const tokenSha256 = await sha256Hex(request.token);
  return audited(ports.sql, async () => {
    const at = ports.clock.now();
    const enrolment = await findEnrolment(ports.sql, tokenSha256);
    if (enrolment === undefined) throw new Refused("unauthenticated");
    if (enrolment.used_at !== null) throw new Refused("token_used");
    if (enrolment.expires_at <= at || !(await isDeclaredHost(ports.sql, enrolment.host)))
      throw new Refused("unauthenticated");
    if (!(await isStoredRoot(ports.sql, request.root_sha256))) throw new Refused("root_mismatch");
    if (!(await provesKey(request, tokenSha256))) throw new Refused("unauthenticated");
    const { id, host } = enrolment;
    const { public_key } = request;
    const body = { enrolment: id, host, public_key, root_sha256: request.root_sha256 };
    return {
      write: true,
      entry: { at, actor: `host:${host}`, on_behalf_of: null, action: "host.enrol", revision: null, body },
      // The audit chain makes the read above hold until the batch commits; a second user of the token meets `token_used`.
      statements: [
        claimEnrolment(ports.sql, id, at),
        raiseGeneration(ports.sql),
        putIdentity(ports.sql, { host, public_key, enrolled_at: at, enrolment: id }),
      ],
      result: host,
    };
  });
}

async function provesKey(request: EnrolRequest, tokenSha256: string): Promise<boolean> {
  const key = fromBase64Url(request.public_key);
  const proof = fromBase64Url(request.proof);
  if (key === undefined || proof === undefined) return false;
  return verifyEd25519(key, proof, enrolProof(tokenSha256, request.root_sha256, request.public_key));
}

async function revokeHost(ports: Ports, host: string, actor: string): Promise<void> {
  await audited(ports.sql, async () => {
    const at = ports.clock.now();
    const identity = await findIdentity(ports.sql, host);
    if (identity === undefined) throw new Refused("not_found");
    if (identity.revoked_at !== null) return { write: false, result: undefined };
    const body = { host, enrolment: identity.enrolment };
    return {
      write: true,
      entry: { at, actor, on_behalf_of: null, action: "host.revoke", revision: null, body },
      statements: [raiseGeneration(ports.sql), revokeIdentity(ports.sql, host, at)],
      result: undefined,
    };
  });
}
