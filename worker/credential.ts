/**
 * A host's stateless token: minted for a key that was just proven, verified without storage, dead within 5 s of the
 * key's revocation or replacement. The host is what the token says and nothing in a request can say otherwise.
 * HS256 is right here because minter and verifier are the same service; the algorithm is pinned, never read.
 */
import { jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import { Key } from "#schema/primitives.ts";
import type { Fleet, FleetState } from "./fleet.ts";
import type { Ports } from "./ports.ts";

/** Seconds. */
export const hostTokenLifetime = 86_400;

/** Milliseconds for which one isolate believes its own verification, and how many it remembers. */
const verifiedFor = 5_000;
const rememberedMax = 10_000;

/** `gen` is a fleet generation that existed when the token was made: a cache older than it must look again. */
const Claims = z.object({ sub: Key, enr: z.string(), gen: z.int().min(0), exp: z.int() });

interface Verified {
  readonly host: string;
  readonly enrolment: string;
  readonly generation: number;
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
}

export interface Caller {
  readonly host: string;
  /** The enrolment that its key came from. */
  readonly enrolment: string;
  readonly fleet: FleetState;
}

export interface HostCredentials {
  mint(host: string, enrolment: string, generation: number): Promise<string>;
  /** The same as `verify`, when memory alone can say so. @returns undefined when it cannot */
  recall(token: string): Caller | undefined;
  /** @returns undefined for any token that is not good now */
  verify(token: string): Promise<Caller | undefined>;
}

export function hostCredentials(ports: Ports, fleet: Fleet): HostCredentials {
  const issuer = `portcullis:${ports.settings.fleet}`;
  const audience = `${issuer}:agent`;
  const remembered = new Map<string, Verified>();

  const verifySignature = async (token: string, now: number): Promise<Verified | undefined> => {
    const options = { algorithms: ["HS256"], issuer, audience, currentDate: new Date(now) };
    const payload = await jwtVerify(token, await ports.signer.tokenSecret(), options).then(
      (verified) => verified.payload,
      // Every reason is the same to the caller: this is not a good token.
      () => undefined,
    );
    const claims = Claims.safeParse(payload);
    if (!claims.success) return undefined;
    const { sub: host, enr: enrolment, gen: generation, exp } = claims.data;
    return { host, enrolment, generation, until: Math.min(exp * 1000, now + verifiedFor) };
  };

  const remember = (token: string, verified: Verified): Verified => {
    const oldest = remembered.size < rememberedMax ? undefined : remembered.keys().next().value;
    if (oldest !== undefined) remembered.delete(oldest);
    remembered.set(token, verified);
    return verified;
  };

  return {
    async mint(host, enrolment, generation) {
      const now = Math.floor(ports.clock.now() / 1000);
      return new SignJWT({ enr: enrolment, gen: generation })
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .setSubject(host)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(now)
        .setExpirationTime(now + hostTokenLifetime)
        .sign(await ports.signer.tokenSecret());
    },

    recall(token) {
      const verified = remembered.get(token);
      if (verified === undefined || verified.until <= ports.clock.now()) return undefined;
      const state = fleet.remembered(verified.generation);
      return state === undefined ? undefined : callerBy(verified, state);
    },

    async verify(token) {
      const now = ports.clock.now();
      let verified = remembered.get(token);
      if (verified === undefined || verified.until <= now) {
        remembered.delete(token);
        const fresh = await verifySignature(token, now);
        if (fresh === undefined) return undefined;
        verified = remember(token, fresh);
      }
      return callerBy(verified, await fleet.current(verified.generation));
    },
  };
}

/** A signature says who it was; the fleet says whether that key is still the host's. */
const callerBy = ({ host, enrolment }: Verified, fleet: FleetState): Caller | undefined =>
  fleet.hosts.get(host)?.enrolment === enrolment ? { host, enrolment, fleet } : undefined;
