/**
 * Enrolment: an operator invites one declared host by a one-time token, and the host trades it, once, for its identity.
 * The use of the token, the identity and the audit row are one batch: all of it or nothing.
 *
 * A host has one open invitation at most. It ends when it is used, taken back or over, with a newer one, with the host's
 * key, and with the token that made it (`tokens.ts`). Whoever holds no open invitation never waits among writers.
 */
import { Hono } from "hono";
import type { Enrolment, EnrolmentRequest, Invitation } from "#schema/api/trust.ts";
import type { EnrolRequest, EnrolResponse } from "#schema/wire.ts";
import { enrolProof } from "#schema/wire.ts";
import { decodeBase64Url, hashSha256, toBase64Url, toHex } from "#worker/lib/encoding.ts";
import { findIdentity, type Fleet, putIdentity, revokeIdentity } from "#worker/hosts/index.ts";
import type { Ports } from "#worker/ports/index.ts";
import { notDeclared, Refused } from "#worker/lib/refused.ts";
import { isStoredRoot, readLatestRoot, verifyEd25519 } from "#worker/signing/index.ts";
import { writeAudited, type Author, nameOf } from "#worker/db/audit.ts";
import {
  claimEnrolment,
  endAllOf,
  endEnrolment,
  type Enrolment as StoredEnrolment,
  readEnrolmentById,
  findEnrolment,
  insertEnrolment,
  isDeclaredHost,
  listOpen,
  openOf,
  authorOf,
  originOf,
} from "#worker/tokens/index.ts";
import { raiseGeneration } from "#worker/db/fleet.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { admitStrangers } from "#worker/http/strangers.ts";
import { iso, makePage } from "#worker/http/views.ts";

export function routeEnrolments(ports: Ports, fleet: Fleet): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "POST /v1/enrolments", async (c, { body }) =>
    c.json(await makeEnrolment(ports, body, authorOf(c)), 201),
  );
  serveRoute(api, "GET /v1/enrolments", async (c, { query: { limit, cursor } }) => {
    const rows = await listOpen(ports.sql, ports.clock.now(), limit, cursor);
    return c.json(makePage(rows, limit, invitation, ({ host }) => host));
  });
  serveRoute(api, "DELETE /v1/enrolments/:id", async (c, { params }) => {
    await takeBack(ports, params.id, authorOf(c));
    return c.body(null, 204);
  });
  serveRoute(
    api,
    "POST /v1/agent/enrol",
    async (c, { body }) => {
      const host = await enrolHost(ports, body, originOf(c));
      fleet.expire();
      return c.json({ host, fleet: ports.settings.fleet } satisfies EnrolResponse, 201);
    },
    [admitStrangers(ports.clock)],
  );
  serveRoute(api, "DELETE /v1/hosts/:host/identity", async (c, { params }) => {
    await revokeHost(ports, params.host, authorOf(c));
    return c.body(null, 204);
  });
  return api;
}

const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));

async function makeEnrolment(
  ports: Ports,
  request: EnrolmentRequest,
  actor: Author,
): Promise<Enrolment> {
  const { host, ttl_seconds, on_behalf_of = null } = request;
  const id = toHex(random(8));
  const token = `pce_${toBase64Url(random(32))}`;
  const sha256 = await hashSha256(token);
  return writeAudited(ports.sql, async () => {
    const root = await readLatestRoot(ports.sql);
    if (root === undefined) throw new Refused("root_missing");
    if (!(await isDeclaredHost(ports.sql, host))) throw new Refused("not_found", notDeclared);
    const at = ports.clock.now();
    const expires = at + ttl_seconds * 1000;
    const made = { id, host, sha256, created_at: at, created_by: nameOf(actor) };
    const row = { ...made, expires_at: expires, used_at: null, ended_at: null };
    const body = {
      enrolment: id,
      host,
      expires_at: expires,
      ends: await openOf(ports.sql, host, at),
    };
    return {
      write: true,
      entry: { at, actor, on_behalf_of, action: "enrolment.create", revision: null, body },
      statements: [endAllOf(ports.sql, host, at), insertEnrolment(ports.sql, row)],
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
async function enrolHost(
  ports: Ports,
  request: EnrolRequest,
  origin: ReturnType<typeof originOf>,
): Promise<string> {
  const { sql, clock } = ports;
  // Once before its turn, so that nobody without an invitation holds up those who write; and once within it.
  await admitEnrolment(ports, request);
  return writeAudited(sql, async () => {
    const at = clock.now();
    const { id, host } = await admitEnrolment(ports, request);
    const { public_key, root_sha256 } = request;
    const body = { enrolment: id, host, public_key, root_sha256 };
    return {
      write: true,
      entry: {
        at,
        actor: { name: `host:${host}`, ...origin },
        on_behalf_of: null,
        action: "host.enrol",
        revision: null,
        body,
      },
      // The audit chain makes the read above hold until the batch commits; a second user of the token meets `token_used`.
      statements: [
        claimEnrolment(sql, id, at),
        endAllOf(sql, host, at),
        raiseGeneration(sql),
        putIdentity(sql, { host, public_key, enrolled_at: at, enrolment: id }),
      ],
      result: host,
    };
  });
}

/** The open invitation that the request may use. Reads only. @throws Refused */
async function admitEnrolment(ports: Ports, request: EnrolRequest): Promise<StoredEnrolment> {
  const { sql, clock } = ports;
  const tokenSha256 = await hashSha256(request.token);
  const found = await findEnrolment(sql, tokenSha256);
  if (found === undefined || found.ended_at !== null) throw new Refused("unauthenticated");
  if (found.used_at !== null) throw new Refused("token_used");
  if (found.expires_at <= clock.now() || !(await isDeclaredHost(sql, found.host)))
    throw new Refused("unauthenticated");
  if (!(await isStoredRoot(sql, request.root_sha256))) throw new Refused("root_mismatch");
  if (!(await provesKey(request, tokenSha256))) throw new Refused("unauthenticated");
  return found;
}

const invitation = ({
  id,
  host,
  created_at,
  created_by,
  expires_at,
}: StoredEnrolment): Invitation => ({
  id,
  host,
  created_at: iso(created_at),
  created_by,
  expires_at: iso(expires_at),
});

/** Taking one back twice is once. @throws Refused `not_found`; `conflict` when it was used */
function takeBack({ sql, clock }: Ports, id: string, actor: Author): Promise<void> {
  return writeAudited(sql, async () => {
    const at = clock.now();
    const found = await readEnrolmentById(sql, id);
    if (found === undefined)
      throw new Refused("not_found", { detail: "There is no open invitation of this id." });
    const { host, used_at, ended_at, expires_at } = found;
    if (used_at !== null)
      throw new Refused("conflict", {
        detail: `It was used. To shut the host out again, revoke the key of ${host}.`,
      });
    if (ended_at !== null || expires_at <= at) return { write: false, result: undefined };
    const body = { enrolment: id, host };
    return {
      write: true,
      entry: { at, actor, on_behalf_of: null, action: "enrolment.end", revision: null, body },
      statements: [endEnrolment(sql, id, at)],
      result: undefined,
    };
  });
}

async function provesKey(request: EnrolRequest, tokenSha256: string): Promise<boolean> {
  const key = decodeBase64Url(request.public_key);
  const proof = decodeBase64Url(request.proof);
  if (key === undefined || proof === undefined) return false;
  return verifyEd25519(
    key,
    proof,
    enrolProof(tokenSha256, request.root_sha256, request.public_key),
  );
}

/** Revokes a host's key and takes its invitations back. */
async function revokeHost({ sql, clock }: Ports, host: string, actor: Author): Promise<void> {
  await writeAudited(sql, async () => {
    const at = clock.now();
    const identity = await findIdentity(sql, host);
    if (identity === undefined)
      throw new Refused("not_found", { detail: "This host has no key: it never joined." });
    const ends = await openOf(sql, host, at);
    if (identity.revoked_at !== null && ends.length === 0)
      return { write: false, result: undefined };
    const body = { host, enrolment: identity.enrolment, ends };
    return {
      write: true,
      entry: { at, actor, on_behalf_of: null, action: "host.revoke", revision: null, body },
      statements: [raiseGeneration(sql), revokeIdentity(sql, host, at), endAllOf(sql, host, at)],
      result: undefined,
    };
  });
}
