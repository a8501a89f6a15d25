/**
 * Whose certificates this machine believes: the store that its distribution keeps, for the agent and the command line
 * alike, and not the list that Node brings, which no administrator changes. What it names is read as a whole and at
 * once; who uses it says what is added.
 *
 * Node's own `getCACertificates("system")` reads OpenSSL's folder with each certificate under two names and its bundle,
 * some 430 files: 68 ms and 8 MB where the bundle alone takes 10 ms and 1 MB. It finds no bundle of Fedora's or SUSE's.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import tls from "node:tls";

/** Where distributions keep their bundle: Debian and Arch, Fedora and RHEL, the same since RHEL 7, SUSE, Alpine. */
const bundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
] as const;

export interface Store {
  /** Certificates, PEM, one after the other. */
  readonly pem: string;
  /** Another text after the store was changed on disk. */
  readonly mark: string;
}

/** A store that is named and cannot be used; its message says which and why. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The store of this machine: the files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name (openssl-env(7)), or else the first
 * bundle that is there. A machine without any believes what Node brings.
 * @throws StoreError
 */
export function readStore(env: Environment, places: readonly string[] = bundles): Store {
  const files = storeFiles(env, places);
  if (files.length === 0) return { pem: tls.rootCertificates.join("\n"), mark: "" };
  const pem = files.map(read).join("\n");
  if (!pem.includes("-----BEGIN CERTIFICATE-----"))
    throw new StoreError(`${files.join(", ")}: no certificate in it`);
  return { pem, mark: markOf(files) };
}

/** What `readStore` would find, without reading it. @throws StoreError */
export const storeMark = (env: Environment, places: readonly string[] = bundles): string =>
  markOf(storeFiles(env, places));

/** A folder's certificates bear the digest of their subject (openssl-rehash(1)); anything else in it is none. */
const hashed = /^[0-9a-f]{8}\.\d+$/;

function storeFiles(env: Environment, places: readonly string[]): readonly string[] {
  const { SSL_CERT_FILE: file = "", SSL_CERT_DIR: folders = "" } = env;
  const named = [
    ...(file === "" ? [] : [file]),
    ...folders.split(":").flatMap((folder) => (folder === "" ? [] : filesIn(folder))),
  ];
  if (file !== "" || folders !== "") return named;
  return places
    .filter((place) => statSync(place, { throwIfNoEntry: false }) !== undefined)
    .slice(0, 1);
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => hashed.test(name))
      .toSorted()
      .map((name) => join(folder, name));
  } catch (error) {
    throw new StoreError(`SSL_CERT_DIR names ${folder}: ${reasonOf(error)}`);
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new StoreError(`the certificates in ${file} cannot be read: ${reasonOf(error)}`);
  }
}

const markOf = (files: readonly string[]): string =>
  files
    .map((file) => {
      const found = statSync(file, { throwIfNoEntry: false });
      return `${file} ${found?.mtimeMs} ${found?.size} ${found?.ino}`;
    })
    .join("\n");

const reasonOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "unreadable";
