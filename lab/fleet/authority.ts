/**
 * The lab's certificate authority: one EC root and one server certificate for the control plane's address in the
 * management namespace. Made by openssl and kept in the data folder; the certificate is renewed when it is about to expire.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, run } from "#lab/run/process.ts";

export interface Authority {
  /** Paths of PEM files. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"] as const;

/** @param addresses IP addresses the server certificate speaks for */
export async function openAuthority(
  folder: string,
  addresses: readonly string[],
): Promise<Authority> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = {
    ca: join(folder, "ca.pem"),
    certificate: join(folder, "server.pem"),
    key: join(folder, "server.key"),
  };
  if (!existsSync(authority.ca)) await makeCa(folder, authority.ca);
  if (!(await speaksFor(authority, addresses))) await makeCertificate(folder, authority, addresses);
  return authority;
}

/** Hosts keep a copy of it when they join, so it outlives every certificate. */
async function makeCa(folder: string, ca: string): Promise<void> {
  const about = [
    "-subj",
    "/CN=Portcullis lab CA",
    "-addext",
    "keyUsage=critical,keyCertSign",
    "-days",
    "7300",
  ];
  await must([
    "openssl",
    "req",
    "-x509",
    ...ecKey,
    ...about,
    "-keyout",
    join(folder, "ca.key"),
    "-out",
    ca,
  ]);
}

async function makeCertificate(
  folder: string,
  { ca, certificate, key }: Authority,
  addresses: readonly string[],
): Promise<void> {
  const [request, extensions] = [join(folder, "server.csr"), join(folder, "server.ext")];
  const names = addresses.map((address) => `IP:${address}`).join(",");
  writeFileSync(
    extensions,
    `subjectAltName=${names}\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n`,
  );
  const subject = ["-subj", "/CN=Portcullis lab control plane"];
  await must(["openssl", "req", ...ecKey, ...subject, "-keyout", key, "-out", request]);
  const signer = [
    "-CA",
    ca,
    "-CAkey",
    join(folder, "ca.key"),
    "-CAcreateserial",
    "-extfile",
    extensions,
  ];
  await must([
    "openssl",
    "x509",
    "-req",
    "-in",
    request,
    "-days",
    "365",
    ...signer,
    "-out",
    certificate,
  ]);
}

/** Whether the certificate is there, lasts another week, and is this CA's word for every address. */
async function speaksFor(
  { ca, certificate, key }: Authority,
  addresses: readonly string[],
): Promise<boolean> {
  if (!existsSync(certificate) || !existsSync(key)) return false;
  const week = `${7 * 86_400}`;
  const lasts = run(["openssl", "x509", "-in", certificate, "-noout", "-checkend", week]);
  const checks = addresses.map((address) =>
    run(["openssl", "verify", "-CAfile", ca, "-verify_ip", address, certificate]),
  );
  return (await Promise.all([lasts, ...checks])).every(({ code }) => code === 0);
}
