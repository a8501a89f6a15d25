/**
 * The online keys as a Signer, from private JWKs (RFC 8037) that an adapter read from its secrets. Keys are imported
 * once and cannot be exported again.
 */
import * as z from "zod";
import { decodeBase64Url } from "#worker/lib/encoding.ts";
import { type OnlineRole, onlineRoles, type Signer } from "./index.ts";

const KeyPart = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, { error: "expected 32 bytes in base64url" });

/** An Ed25519 private key: `x` is its public half, `d` the secret. */
const PrivateKey = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: KeyPart,
  d: KeyPart,
});

/** One key for each online role; the same key for two roles is refused, because then one leak is two. */
export const SigningKeys = z
  .strictObject({ targets: PrivateKey, snapshot: PrivateKey, timestamp: PrivateKey })
  .refine((keys) => new Set(onlineRoles.map((role) => keys[role].x)).size === onlineRoles.length, {
    error: "expected three different keys",
  });
export type SigningKeys = z.infer<typeof SigningKeys>;

/** Key of the stateless host tokens: 32 bytes or more, base64url. */
export const TokenSecret = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43,}$/, { error: "expected 32 bytes in base64url" });

/** @throws Error when the secret is not base64url; keys that are no keys fail at first use */
export function createSigner(keys: SigningKeys, tokenSecret: string): Signer {
  const secret = decodeBase64Url(tokenSecret);
  if (secret === undefined) throw new Error("the token secret is not base64url");
  const imported = new Map<OnlineRole, Promise<CryptoKey>>();
  const importKeyOnce = (role: OnlineRole): Promise<CryptoKey> => {
    const known = imported.get(role) ?? importKey(keys[role]);
    imported.set(role, known);
    return known;
  };
  return {
    publicKey: async (role) => {
      const raw = decodeBase64Url(keys[role].x);
      if (raw === undefined) throw new Error(`the public key of ${role} is not base64url`);
      return raw;
    },
    sign: async (role, bytes) =>
      new Uint8Array(await crypto.subtle.sign("Ed25519", await importKeyOnce(role), bytes)),
    tokenSecret: async () => secret,
  };
}

const importKey = ({ kty, crv, x, d }: z.infer<typeof PrivateKey>): Promise<CryptoKey> =>
  crypto.subtle.importKey("jwk", { kty, crv, x, d }, "Ed25519", false, ["sign"]);
