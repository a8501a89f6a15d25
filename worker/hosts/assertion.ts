/**
 * `private_key_jwt` (RFC 7523 §3): a host proves that it holds the key it enrolled with. One assertion, one token.
 * The algorithm is pinned to Ed25519 and the key is the enrolled one; nothing in the assertion chooses either.
 */
import { decodeJwt, importJWK, jwtVerify } from "jose";
import * as z from "zod";
import { Key } from "#schema/primitives.ts";
import { assertionAudience } from "#schema/wire.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { findIdentity, type Identity, useAssertion } from "./identity-rows.ts";

/** Seconds: an assertion that lives longer than this is refused; clocks may differ by the tolerance. */
const lifetimeMax = 120;
const clockTolerance = 60;

const Claims = z.object({ jti: z.string().min(8).max(128), exp: z.int(), iat: z.int() });

/**
 * @returns the identity that the assertion proves, undefined for any other assertion, the used ones too
 * @throws Refused `too_many_requests` when the host used many within their minutes
 */
export async function redeemAssertion(
  ports: Ports,
  assertion: string,
): Promise<Identity | undefined> {
  const identity = await readClaimedIdentity(ports, assertion);
  if (identity === undefined || identity.revoked_at !== null) return undefined;
  const now = ports.clock.now();
  const claims = await verifyClaims(ports, assertion, identity, now);
  if (claims === undefined || claims.exp > now / 1000 + lifetimeMax + clockTolerance)
    return undefined;
  const { host } = identity;
  // Kept until no clock within the tolerance could still think it good.
  const expiresAt = (claims.exp + clockTolerance) * 1000;
  const row = { jti: `${host}/${claims.jti}`, host, expires_at: expiresAt };
  const used = await useAssertion(ports.sql, row, now);
  if (used === "crowded") throw new Refused("too_many_requests");
  return used === "first" ? identity : undefined;
}

/** Whose key to try: the assertion's own word, which proves nothing yet. */
async function readClaimedIdentity(ports: Ports, assertion: string): Promise<Identity | undefined> {
  try {
    const host = Key.safeParse(decodeJwt(assertion).sub);
    return host.success ? await findIdentity(ports.sql, host.data) : undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_JWT_INVALID")
      return undefined;
    throw error;
  }
}

async function verifyClaims(ports: Ports, assertion: string, identity: Identity, now: number) {
  const key = await importJWK({ kty: "OKP", crv: "Ed25519", x: identity.public_key }, "Ed25519");
  const options = {
    algorithms: ["EdDSA", "Ed25519"],
    issuer: identity.host,
    subject: identity.host,
    audience: assertionAudience(ports.settings.fleet),
    currentDate: new Date(now),
    clockTolerance,
    maxTokenAge: lifetimeMax,
  };
  const payload = await jwtVerify(assertion, key, options).then(
    (verified) => verified.payload,
    // Every reason is the same to the caller: this assertion proves nothing.
    () => undefined,
  );
  const claims = Claims.safeParse(payload);
  return claims.success ? claims.data : undefined;
}
