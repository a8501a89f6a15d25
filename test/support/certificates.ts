/** Certificates of every kind that a client must believe or not, made by openssl; and servers that show them. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export interface Shown {
  readonly certificate: string;
  readonly key: string;
}

export interface Certificates {
  /** PEM of the authority that vouches for `good`, `expired` and `otherName`. */
  readonly ca: string;
  /** The file it lies in. */
  readonly caFile: string;
  readonly good: Shown;
  readonly expired: Shown;
  readonly otherName: Shown;
  /** By an authority that nobody named. */
  readonly stranger: Shown;
  readonly selfSigned: Shown;
}

/** Seven years ago, to a program that the dynamic linker starts. */
const then = {
  LD_PRELOAD: "/usr/$LIB/faketime/libfaketime.so.1",
  FAKETIME: "@2019-12-01 00:00:00",
};

/** For 127.0.0.1 where nothing else is said, in files in this folder. */
export function makeCertificates(folder: string): Certificates {
  const at = (name: string): string => join(folder, name);
  const read = (name: string): string => readFileSync(at(name), "utf8");
  const openssl = (words: readonly string[], env: Readonly<Record<string, string>> = {}): void =>
    void execFileSync("openssl", words, { env: { ...process.env, ...env }, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const authority = (name: string): void =>
    openssl(
      [
        "req",
        "-x509",
        ...key,
        "-subj",
        `/CN=${name}`,
        "-days",
        "9000",
        "-addext",
        "keyUsage=keyCertSign",
      ].concat(["-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)]),
      then,
    );
  const server = (
    name: string,
    by: string,
    alternative: string,
    env: Readonly<Record<string, string>>,
  ): Shown => {
    writeFileSync(at(`${name}.ext`), `subjectAltName=${alternative}\n`);
    openssl([
      "req",
      ...key,
      "-subj",
      `/CN=${name}`,
      "-keyout",
      at(`${name}.key`),
      "-out",
      at(`${name}.csr`),
    ]);
    const signer = ["-CA", at(`${by}.pem`), "-CAkey", at(`${by}.key`), "-CAcreateserial"];
    const out = ["-extfile", at(`${name}.ext`), "-days", "30", "-out", at(`${name}.pem`)];
    openssl(["x509", "-req", "-in", at(`${name}.csr`), ...signer, ...out], env);
    return { certificate: read(`${name}.pem`), key: read(`${name}.key`) };
  };
  authority("ca");
  authority("other");
  openssl(
    ["req", "-x509", ...key, "-subj", "/CN=self", "-addext", "subjectAltName=IP:127.0.0.1"].concat([
      "-keyout",
      at("self.key"),
      "-out",
      at("self.pem"),
    ]),
  );
  return {
    ca: read("ca.pem"),
    caFile: at("ca.pem"),
    good: server("good", "ca", "IP:127.0.0.1", {}),
    expired: server("expired", "ca", "IP:127.0.0.1", then),
    otherName: server("othername", "ca", "DNS:other.example.net", {}),
    stranger: server("stranger", "other", "IP:127.0.0.1", {}),
    selfSigned: { certificate: read("self.pem"), key: read("self.key") },
  };
}

export interface TlsServer {
  readonly url: string;
  /** Paths and headers of requests that were believed enough to be sent. */
  readonly asked: { readonly path: string; readonly authorization: string | undefined }[];
  close(): Promise<void>;
}

/** Answers every request as a control plane's poll, token and list of tokens would be answered. On loopback, port 0. */
export async function openTlsServer({ certificate: cert, key }: Shown): Promise<TlsServer> {
  const asked: TlsServer["asked"] = [];
  const server = createServer({ cert, key }, (request, response) => {
    const path = request.url ?? "";
    asked.push({ path, authorization: request.headers.authorization });
    const token = { access_token: "t", token_type: "Bearer", expires_in: 60 };
    const update = { roots: [], timestamp: "", snapshot: "", targets: "" };
    const body = path.endsWith("/token") ? token : path.endsWith("/update") ? update : {};
    void text(request).then(() =>
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
