/**
 * What the process must keep to itself, in its data directory: the online keys and the first operator token. Made at
 * the first start, mode 0600, never logged.
 */
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { onlineRoles } from "#worker/ports/index.ts";
import { SigningKeys, TokenSecret } from "#worker/ports/signer.ts";
import { isMissing, keepPrivate, writeDurably } from "./files.ts";

/** `instead_of_root`: version of the root in whose place of keys an operator put these on purpose. */
const Secrets = z.strictObject({
  signing_keys: SigningKeys,
  token_secret: TokenSecret,
  instead_of_root: z.int().min(1).optional(),
});
export type Secrets = z.infer<typeof Secrets>;

export const secretsFile = (directory: string): string => join(directory, "keys.json");

/** Undefined when the file is not there. @throws Error when it is and cannot be read: it is never made anew over itself */
export async function readSecrets(file: string): Promise<Secrets | undefined> {
  const text = await readPrivate(file);
  if (text === undefined) return undefined;
  const parsed = Secrets.safeParse(parseJson(text));
  if (!parsed.success) throw new Error(`${file} is not a key file of this program`);
  return parsed.data;
}

/** Reads `keys.json`, or makes it: for a deployment in which nobody trusts any keys yet. */
export const openSecrets = async (directory: string): Promise<Secrets> =>
  (await readSecrets(secretsFile(directory))) ?? keepSecrets(secretsFile(directory), makeSecrets());

export async function keepSecrets(file: string, secrets: Secrets): Promise<Secrets> {
  await writeDurably(file, JSON.stringify(secrets), 0o600);
  return secrets;
}

export function makeSecrets(): Secrets {
  const keys = onlineRoles.map((role) => {
    const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
    return [role, { kty, crv, x, d }] as const;
  });
  const made = {
    signing_keys: Object.fromEntries(keys),
    token_secret: randomBytes(32).toString("base64url"),
  };
  return Secrets.parse(made);
}

export interface AdminToken {
  readonly file: string;
  readonly token: string;
  readonly sha256: string;
}

/** Reads `admin.token`, or makes it: the operator token that has every scope. */
export async function openAdminToken(directory: string): Promise<AdminToken> {
  const file = join(directory, "admin.token");
  const text = (await readPrivate(file)) ?? (await makeAdminToken(file));
  const token = text.trim();
  if (token.length < 40) throw new Error(`${file} does not hold a token`);
  return { file, token, sha256: createHash("sha256").update(token).digest("hex") };
}

async function makeAdminToken(file: string): Promise<string> {
  const text = `pc_admin_${randomBytes(32).toString("base64url")}\n`;
  await writeDurably(file, text, 0o600);
  return text;
}

async function readPrivate(file: string): Promise<string | undefined> {
  try {
    await keepPrivate(file);
    return await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
