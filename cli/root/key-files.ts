/**
 * Files of a root ceremony: private keys, public keys and root files. Nothing is overwritten but a root file that gained
 * a signature, and that by renaming; a private key's file is readable by its owner alone.
 */
import { createPrivateKey, createPublicKey } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { type TufKey, tufKey } from "#schema/tuf.ts";
import { Failure } from "#cli/text/output.ts";
import { type RootFile, readRootFile, rootFileText } from "./file.ts";
import { type RootKey, readRootKey } from "./name.ts";

/** @throws Failure when there is such a file, or it cannot be written */
export function writeNew(path: string, content: string | Buffer, mode: number): void {
  try {
    writeFileSync(path, content, { flag: "wx", mode, flush: true });
  } catch (error) {
    throw new Failure(`cannot write ${path}: ${reasonOf(error)}`);
  }
}

export const writePrivateKey = (path: string, { privateKey }: RootKey): void =>
  writeNew(path, privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);

export const writePublicKey = (path: string, { privateKey }: RootKey): void =>
  writeNew(path, createPublicKey(privateKey).export({ type: "spki", format: "pem" }), 0o644);

/** @throws Failure; its message never quotes the file */
export function readPrivateKey(path: string): RootKey {
  const content = read(path);
  try {
    return readRootKey(createPrivateKey(content));
  } catch {
    throw new Failure(`${path} is not the PEM file of a private Ed25519 key`);
  }
}

/** A public key's PEM file; that of a private key is refused, because it should not be where keys are gathered. */
export function readPublicKey(path: string): TufKey {
  const content = read(path);
  if (content.includes("PRIVATE KEY"))
    throw new Failure(
      `${path} is a private key; give the .pub file, and keep this one where it signs`,
    );
  try {
    const key = createPublicKey(content);
    const { x } = key.export({ format: "jwk" });
    if (key.asymmetricKeyType === "ed25519" && x !== undefined)
      return tufKey(Buffer.from(x, "base64url").toString("hex"));
  } catch {
    // Said below: whatever it is, it is no key that a root can name.
  }
  throw new Failure(`${path} is not the PEM file of a public Ed25519 key`);
}

export const loadRootFile = (path: string): RootFile => readRootFile(read(path), path);

/** Puts the file in place of the one before in one step, so that no signature that was there can be lost. */
export function replaceRootFile(path: string, file: RootFile): void {
  const beside = `${path}.new`;
  writeNew(beside, rootFileText(file), 0o644);
  try {
    renameSync(beside, path);
  } catch (error) {
    throw new Failure(`cannot replace ${path}: ${reasonOf(error)}`);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${reasonOf(error)}`);
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : "unknown reason";
