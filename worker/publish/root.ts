/**
 * Root metadata, read strictly and verified with WebCrypto (TUF specification §5.3; the TUF libraries cannot verify in
 * workerd). Decides which root may be stored and served; a root that any agent would refuse must never get in, because
 * the chain is served for ever.
 */
import { sizeLimits } from "#schema/bundle.ts";
import { canonicalBytes, parseCanonical } from "#schema/canonical.ts";
import { isPinnableKey } from "#schema/ed25519.ts";
import type { RootRefusalCode } from "#schema/refusals.ts";
import { envelope, operatorsSign, Root, roles, type Signature, type TufKey, tufKey } from "#schema/tuf.ts";
import { fromHex, sha256Hex, toHex, utf8 } from "../encoding.ts";
import { onlineRoles, type Signer } from "../ports.ts";
import { keyId } from "./sign.ts";

/** A root that is well-formed by itself; whether it may follow another is `checkSuccessor`'s to say. */
export interface ReadRoot {
  /** The exact text that was signed over and is served. */
  readonly text: string;
  readonly sha256: string;
  readonly signed: Root;
  readonly signatures: readonly Signature[];
}

export interface RootRefusal {
  readonly ok: false;
  readonly code: RootRefusalCode;
  readonly message: string;
}

const refuse = (code: RootRefusalCode, message: string): RootRefusal => ({ ok: false, code, message });

/** Reads root.json: canonical bytes, our strict shape, keys named by their own digest and none of low order. */
export async function readRoot(text: string): Promise<{ ok: true; root: ReadRoot } | RootRefusal> {
  const bytes = utf8(text);
  if (bytes.length > sizeLimits.root) return refuse("root_too_large", `more than ${sizeLimits.root} bytes`);
  const parsed = envelope(Root).safeParse(parseCanonical(bytes));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return refuse("root_malformed", `/${(issue?.path ?? []).map(String).join("/")}: ${issue?.message ?? ""}`);
  }
  const { signed, signatures } = parsed.data;
  const fault = (await keyFault(signed)) ?? signatureFault(signatures);
  if (fault !== undefined) return refuse("root_keys", fault);
  return { ok: true, root: { text, sha256: await sha256Hex(bytes), signed, signatures } };
}

async function keyFault(root: Root): Promise<string | undefined> {
  for (const [id, key] of Object.entries(root.keys)) {
    if ((await keyId(key)) !== id) return `key ${id} is not named by its digest`;
    const raw = fromHex(key.keyval.public);
    if (raw === undefined || !isPinnableKey(raw)) return `key ${id} is of low order or not canonical`;
  }
  for (const role of roles) {
    const { keyids, threshold } = root.roles[role];
    if (new Set(keyids).size !== keyids.length) return `role ${role} names a key twice`;
    if (keyids.some((id) => root.keys[id] === undefined)) return `role ${role} names an unknown key`;
    if (threshold > keyids.length) return `role ${role} asks for more keys than it has`;
  }
  const online = new Set(onlineRoles.flatMap((role) => root.roles[role].keyids));
  if (root.roles.root.keyids.some((id) => online.has(id))) return "a root key is an online key too";
  return undefined;
}

const signatureFault = (signatures: readonly Signature[]): string | undefined =>
  new Set(signatures.map((signature) => signature.keyid)).size === signatures.length
    ? undefined
    : "two signatures of one key";

/**
 * Whether `next` may follow `current` (undefined: before the first root): the next version, not expired, signed by a
 * threshold of its own root keys and of its predecessor's, and giving the online roles to `signer`'s keys, but targets to
 * operators where it says so.
 */
export async function checkSuccessor(
  current: ReadRoot | undefined,
  next: ReadRoot,
  now: number,
  signer: Signer,
): Promise<{ ok: true } | RootRefusal> {
  const expected = (current?.signed.version ?? 0) + 1;
  if (next.signed.version !== expected) return refuse("root_version", `expected version ${expected}`);
  if (!(Date.parse(next.signed.expires) > now))
    return refuse("root_expired", `expired ${next.signed.expires}`);
  for (const authority of current === undefined ? [next] : [current, next]) {
    const { threshold } = authority.signed.roles.root;
    const valid = await countValid(next, authority.signed);
    if (valid < threshold) {
      const whose = authority === next ? "its own root keys" : "its predecessor's root keys";
      return refuse("root_threshold", `signed by ${valid} of ${whose}, ${threshold} are needed`);
    }
  }
  const fault = await onlineFault(next.signed, signer);
  return fault === undefined ? { ok: true } : refuse("root_online_keys", fault);
}

/**
 * Snapshot and timestamp are this control plane's alone, because leases must be renewed every day. Targets are too, or
 * several keys': then its own key may be one of them and is never enough, and no other of its keys is.
 */
async function onlineFault(root: Root, signer: Signer): Promise<string | undefined> {
  const keys = await onlineKeys(signer);
  const ids = { targets: await keyId(keys.targets), leases: new Set<string>() };
  for (const role of ["snapshot", "timestamp"] as const) {
    const id = await keyId(keys[role]);
    ids.leases.add(id);
    const { keyids, threshold } = root.roles[role];
    if (threshold !== 1 || keyids.length !== 1 || keyids[0] !== id)
      return `role ${role} is not this control plane's ${role} key`;
  }
  const { keyids, threshold } = root.roles.targets;
  if (!operatorsSign(root))
    return keyids[0] === ids.targets ? undefined : "role targets is not this control plane's targets key";
  if (keyids.some((id) => ids.leases.has(id))) return "role targets names a snapshot or timestamp key";
  return threshold === 1 && keyids.includes(ids.targets)
    ? "role targets lets this control plane's key sign alone beside operators' keys"
    : undefined;
}

/** The public halves of the online keys. */
export async function onlineKeys(signer: Signer) {
  const [targets, snapshot, timestamp] = await Promise.all(
    onlineRoles.map(async (role) => tufKey(toHex(await signer.publicKey(role)))),
  );
  if (targets === undefined || snapshot === undefined || timestamp === undefined)
    throw new Error("three online roles");
  return { targets, snapshot, timestamp };
}

/** Distinct keys of `authority`'s root role whose signature over `root` holds. */
async function countValid(root: ReadRoot, authority: Root): Promise<number> {
  const bytes = canonicalBytes(root.signed);
  const results = await Promise.all(
    root.signatures.map(async ({ keyid, sig }) => {
      const key = authority.roles.root.keyids.includes(keyid) ? authority.keys[keyid] : undefined;
      return key !== undefined && (await verify(key, sig, bytes));
    }),
  );
  return results.filter(Boolean).length;
}

/** Does one key's signature, both in hex, hold over these bytes? */
export async function verify(key: TufKey, sig: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const raw = fromHex(key.keyval.public);
  const signature = fromHex(sig);
  return raw !== undefined && signature !== undefined && verifyEd25519(raw, signature, bytes);
}

/** One Ed25519 signature; false for a key of low order or any malformed input. */
export async function verifyEd25519(
  publicKey: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (!isPinnableKey(publicKey) || signature.length !== 64) return false;
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, key, signature, bytes);
  } catch {
    // 32 bytes that are no point on the curve: WebCrypto throws where the answer is no.
    return false;
  }
}
