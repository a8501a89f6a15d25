/**
 * A host's stateless token: minted for a key that was just proven, verified without storage, dead within 5 s of the
 * key's revocation or replacement. The host is what the token says and nothing in a request can say otherwise.
 * HS256 is right here because minter and verifier are the same service; the algorithm is pinned, never read.
 */
import { jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import { Key } from "#schema/primitives.ts";
import type { Fleet, FleetState, HostState } from "./fleet.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Recent } from "#worker/lib/recent.ts";

/** Seconds. */
export const hostTokenLifetime = 86_400;

/**
 * Tokens that one isolate remembers, each until it expires: a signature that was good once stays good. Whether the key
 * behind it is still the host's is asked of the fleet at every use. Some 500 bytes each.
 */
const rememberedMax = 20_000;

/** `gen` is a fleet generation that existed when the token was made: a cache older than it must look again. */
const Claims = z.object({ sub: Key, enr: z.string(), gen: z.int().min(0), exp: z.int() });

interface Verified {
  readonly token: string;
  readonly host: string;
  readonly enrolment: string;
  readonly generation: number;
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
  /** Its host as it was found last, and where: the fleet's hosts are one value until one of them changes. */
  found: { readonly hosts: FleetState["hosts"]; readonly host: HostState | undefined };
}

export interface Caller {
  readonly host: string;
  /** The enrolment that its key came from. */
  readonly enrolment: string;
  /** Generation at which anything that this host is told last changed. */
  readonly changed: number;
  readonly fleet: FleetState;
}

export interface HostCredentials {
  mint(host: string, enrolment: string, generation: number): Promise<string>;
  /**
   * As `verify`, of a token that was verified before; undefined for any other. A promise where the fleet's news must
   * be asked for first, which rejects when the store fails.
   */
  recall(token: string): Caller | undefined | Promise<Caller | undefined>;
  /** @returns undefined for any token that is not good now */
  verify(token: string): Promise<Caller | undefined>;
}

export function openHostCredentials(ports: Ports, fleet: Fleet): HostCredentials {
  const issuer = `portcullis:${ports.settings.fleet}`;
  const audience = `${issuer}:agent`;
  const remembered = new Recent<string, Verified>(rememberedMax);
  const findKnown = (token: string): Verified | undefined => {
    const verified = remembered.get(nameOf(token));
    return verified?.token === token && verified.until > ports.clock.now() ? verified : undefined;
  };
  let imported: Promise<CryptoKey> | undefined;
  const key = (): Promise<CryptoKey> => (imported ??= importSecret(ports.signer));

  const verifySignature = async (token: string, now: number): Promise<Verified | undefined> => {
    const options = { algorithms: ["HS256"], issuer, audience, currentDate: new Date(now) };
    const payload = await jwtVerify(token, await key(), options).then(
      (verified) => verified.payload,
      // Every reason is the same to the caller: this is not a good token.
      () => undefined,
    );
    const claims = Claims.safeParse(payload);
    if (!claims.success) return undefined;
    const { sub: host, enr: enrolment, gen: generation, exp } = claims.data;
    return { token, host, enrolment, generation, until: exp * 1000, found: nowhere };
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
        .sign(await key());
    },

    recall(token) {
      const verified = findKnown(token);
      if (verified === undefined) return undefined;
      const state = fleet.remembered(verified.generation);
      if (state !== undefined) return callerBy(verified, state);
      return fleet.current(verified.generation).then((fresh) => callerBy(verified, fresh));
    },

    async verify(token) {
      let verified = findKnown(token);
      if (verified === undefined) {
        verified = await verifySignature(token, ports.clock.now());
        if (verified === undefined) return undefined;
        remembered.set(nameOf(token), verified);
      }
      return callerBy(verified, await fleet.current(verified.generation));
    },
  };
}

/** The end of its signature: where a token is looked for. Hashing all of it is most of what a look costs. */
const nameOf = (token: string): string => token.slice(-32);

const importSecret = async (signer: Ports["signer"]): Promise<CryptoKey> =>
  crypto.subtle.importKey(
    "raw",
    await signer.tokenSecret(),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign", "verify"],
  );

const nowhere = { hosts: new Map<string, HostState>(), host: undefined };

/** A signature says who it was; the fleet says whether that key is still the host's. */
function callerBy(verified: Verified, fleet: FleetState): Caller | undefined {
  const { host, enrolment } = verified;
  if (verified.found.hosts !== fleet.hosts)
    verified.found = { hosts: fleet.hosts, host: fleet.hosts.get(host) };
  const known = verified.found.host;
  if (known === undefined || known.enrolment !== enrolment) return undefined;
  return { host, enrolment, changed: Math.max(fleet.root, known.changed), fleet };
}
