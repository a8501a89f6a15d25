/**
 * The lab's certificate authority: one EC root and one server certificate for the control plane's address in the
 * management namespace. Made by openssl, kept in the data folder, made again when they are about to expire.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, run } from "./process.ts";

export interface Authority {
  /** Paths of PEM files. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"] as const;
const dayInSeconds = 86_400;

/** @param addresses IP addresses the server certificate speaks for */
export async function openAuthority(folder: string, addresses: readonly string[]): Promise<Authority> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string): string => join(folder, name);
  const authority = { ca: file("ca.pem"), certificate: file("server.pem"), key: file("server.key") };
  if (await usable(authority, addresses)) return authority;
  const caKey = file("ca.key");
  const request = file("server.csr");
  const extensions = file("server.ext");
  const names = addresses.map((address) => `IP:${address}`).join(",");
  writeFileSync(
    extensions,
    `subjectAltName=${names}\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n`,
  );
  await must(
    ["openssl", "req", "-x509", ...ecKey, "-days", "365", "-subj", "/CN=Portcullis lab CA"].concat([
      "-addext",
      "keyUsage=critical,keyCertSign",
      "-keyout",
      caKey,
      "-out",
      authority.ca,
    ]),
  );
  await must(
    ["openssl", "req", ...ecKey, "-subj", "/CN=Portcullis lab control plane"].concat([
      "-keyout",
      authority.key,
      "-out",
      request,
    ]),
  );
  await must(
    ["openssl", "x509", "-req", "-in", request, "-days", "365", "-CA", authority.ca, "-CAkey", caKey].concat([
      "-CAcreateserial",
      "-extfile",
      extensions,
      "-out",
      authority.certificate,
    ]),
  );
  return authority;
}

async function usable(authority: Authority, addresses: readonly string[]): Promise<boolean> {
  if (!Object.values(authority).every((path) => existsSync(path))) return false;
  const lasting = [
    "openssl",
    "x509",
    "-in",
    authority.certificate,
    "-noout",
    "-checkend",
    `${7 * dayInSeconds}`,
  ];
  if ((await run(lasting)).code !== 0) return false;
  const checks = addresses.map((address) =>
    run(["openssl", "verify", "-CAfile", authority.ca, "-verify_ip", address, authority.certificate]),
  );
  return (await Promise.all(checks)).every((outcome) => outcome.code === 0);
}
