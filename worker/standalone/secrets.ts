/**
 * What the process must keep to itself, in its data directory: the online keys and the first operator token. Made at
 * the first start, mode 0600, never logged.
 */
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { onlineRoles } from "../ports.ts";
import { SigningKeys, TokenSecret } from "../signer.ts";
import { isMissing, keepPrivate, writeDurably } from "./files.ts";

const Secrets = z.strictObject({ signing_keys: SigningKeys, token_secret: TokenSecret });
export type Secrets = z.infer<typeof Secrets>;

/** Reads `keys.json`, or makes it. @throws Error when it is there and cannot be read: it is never made anew over itself */
export async function openSecrets(directory: string): Promise<Secrets> {
  const file = join(directory, "keys.json");
  const text = await readOrMake(file, () => JSON.stringify(makeSecrets()));
  const parsed = Secrets.safeParse(parseJson(text));
  if (!parsed.success) throw new Error(`${file} is not a key file of this program`);
  return parsed.data;
}

export interface AdminToken {
  readonly file: string;
  readonly token: string;
  readonly sha256: string;
}

/** Reads `admin.token`, or makes it: the operator token that has every scope. */
export async function openAdminToken(directory: string): Promise<AdminToken> {
  const file = join(directory, "admin.token");
  const text = await readOrMake(file, () => `pc_admin_${randomBytes(32).toString("base64url")}\n`);
  const token = text.trim();
  if (token.length < 40) throw new Error(`${file} does not hold a token`);
  return { file, token, sha256: createHash("sha256").update(token).digest("hex") };
}

async function readOrMake(file: string, make: () => string): Promise<string> {
  try {
    await keepPrivate(file);
    return await readFile(file, "utf8");
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const text = make();
  await writeDurably(file, text, 0o600);
  return text;
}

function makeSecrets(): unknown {
  const keys = onlineRoles.map((role) => {
    const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
    return [role, { kty, crv, x, d }] as const;
  });
  return { signing_keys: Object.fromEntries(keys), token_secret: randomBytes(32).toString("base64url") };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
