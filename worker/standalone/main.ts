/**
 * The standalone control plane as a command. Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage. It prints where
 * it listens and where the first token lies, never the token.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { longestLife } from "#schema/tuf.ts";
import type { Retention } from "#worker/ports/retention.ts";
import type { Standalone, StandaloneOptions } from "./index.ts";
import type { Endpoint } from "./listen.ts";

const help = `Usage: node worker/standalone/main.ts --data DIR [options]

  --data DIR             database, blobs, keys and the first token are kept here
  --fleet NAME           name of this deployment, signed into all metadata (default: main)
  --new-keys             the online keys are changed on purpose (lost, stolen): hosts follow when a root names them, see docs/lost.md
  --listen HOST:PORT     plain HTTP, on loopback only (default: 127.0.0.1:8787)
  --tls-listen HOST:PORT HTTPS, on any address; needs --tls-cert and --tls-key
  --tls-socket PATH      HTTPS on a unix socket; needs --tls-cert and --tls-key
  --tls-cert FILE        certificate chain, PEM
  --tls-key FILE         its private key, PEM
  --lease-seconds N      how long hosts trust what they hold: 900 to 604800 (default: 86400)
  --poll-seconds N       what agents are asked to wait between polls: 5 to 900 (default: 30)
  --release open|staged  may a commit change hosts at once, or only a rollout (default: PORTCULLIS_RELEASE, else open)
  --reports-kept N       newest reports of a host: 20 to 1000 (default: 50)
  --report-days N        after which a report goes that is not its host's last: 1 to 3650 (default: 30)
  --answer-hours N       for which an Idempotency-Key is remembered: 1 to 168 (default: 24)
  --bundle-days N        for which a bundle can be read that no host is served: 1 to 3650 (default: 90)
  --prepare              only make what is missing in the data directory, say where the first token lies, and end
  --help                 this text
`;

class Usage extends Error {}

interface Asked extends StandaloneOptions {
  readonly prepare: boolean;
}

async function main(argv: readonly string[]): Promise<number> {
  const options = read(argv);
  if (options === undefined) {
    process.stdout.write(help);
    return 0;
  }
  // Not before it is needed: help and a wrong flag answer at once.
  const { openStandalone } = await import("./index.ts");
  const opened = await openStandalone(options);
  if (options.prepare) {
    process.stdout.write(firstToken(opened));
    await opened.close();
    return 0;
  }
  // Before it says that it listens: whoever waits for that may end it at once.
  const end = waitForSignal();
  for (const url of opened.urls) process.stdout.write(`listening on ${url}\n`);
  process.stdout.write(firstToken(opened));
  await end;
  await opened.close();
  return 0;
}

const firstToken = ({ admin }: Standalone): string => `first operator token: ${admin.file}\n`;

/** Waits for SIGINT or SIGTERM. */
const waitForSignal = (): Promise<void> =>
  new Promise((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });

/** @returns undefined when help is asked for. @throws Usage */
function read(argv: readonly string[]): Asked | undefined {
  const values = parse(argv);
  if (values.help === true) return undefined;
  if (values.data === undefined) throw new Usage("--data is needed");
  const leaseSeconds = parseWhole(
    "--lease-seconds",
    values["lease-seconds"],
    900,
    longestLife.timestamp / 1000,
  );
  const pollSeconds = parseWhole("--poll-seconds", values["poll-seconds"], 5, 900);
  const prepare = values.prepare === true;
  const release = releaseOf(values.release ?? process.env["PORTCULLIS_RELEASE"]);
  return {
    data: values.data,
    fleet: values.fleet ?? "main",
    keys: values["new-keys"] === true ? "new" : "known",
    prepare,
    endpoints: prepare ? [] : endpointsOf(values),
    ...(release === undefined ? {} : { release }),
    ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
    ...(pollSeconds === undefined ? {} : { pollSeconds }),
    retention: retentionOf(values),
  };
}

function retentionOf(values: ReturnType<typeof parse>): Partial<Retention> {
  const given = {
    reports: parseWhole("--reports-kept", values["reports-kept"], 20, 1000),
    reportDays: parseWhole("--report-days", values["report-days"], 1, 3650),
    answerHours: parseWhole("--answer-hours", values["answer-hours"], 1, 168),
    blobDays: parseWhole("--bundle-days", values["bundle-days"], 1, 3650),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

const text = { type: "string" } as const;
const flags = {
  data: text,
  fleet: text,
  "new-keys": { type: "boolean" },
  prepare: { type: "boolean" },
  listen: text,
  "tls-listen": text,
  "tls-socket": text,
  "tls-cert": text,
  "tls-key": text,
  "lease-seconds": text,
  "poll-seconds": text,
  release: text,
  "reports-kept": text,
  "report-days": text,
  "answer-hours": text,
  "bundle-days": text,
  help: { type: "boolean" },
} as const;

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, allowPositionals: false, strict: true })
      .values;
  } catch (error) {
    throw new Usage(error instanceof Error ? error.message : String(error));
  }
}

function endpointsOf(values: ReturnType<typeof parse>): readonly Endpoint[] {
  const plain: Endpoint = {
    kind: "plain",
    ...parseListenAddress("--listen", values.listen ?? "127.0.0.1:8787"),
  };
  const { "tls-listen": tls, "tls-socket": socket, "tls-cert": cert, "tls-key": key } = values;
  if (tls === undefined && socket === undefined) return [plain];
  if (cert === undefined || key === undefined)
    throw new Usage("TLS needs --tls-cert and --tls-key");
  const certificate = { cert: readFileSync(cert), key: readFileSync(key) };
  return [
    plain,
    ...(tls === undefined
      ? []
      : [{ kind: "tls", ...parseListenAddress("--tls-listen", tls), certificate } as const]),
    ...(socket === undefined ? [] : [{ kind: "unix", path: socket, certificate } as const]),
  ];
}

/** `127.0.0.1:8787` or `[::1]:8787`. */
function parseListenAddress(
  flag: string,
  value: string,
): { readonly host: string; readonly port: number } {
  const [, v6, v4, port] =
    /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(0|[1-9][0-9]{0,4})$/.exec(value) ?? [];
  const host = v6 ?? v4;
  if (host === undefined || Number(port) > 65_535) throw new Usage(`${flag} takes HOST:PORT`);
  return { host, port: Number(port) };
}

function releaseOf(value: string | undefined): "open" | "staged" | undefined {
  if (value === undefined || value === "open" || value === "staged") return value;
  throw new Usage("--release takes open or staged");
}

function parseWhole(
  flag: string,
  value: string | undefined,
  min: number,
  max: number,
): number | undefined {
  if (value === undefined) return undefined;
  const number = /^[0-9]{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max))
    throw new Usage(`${flag} takes a number from ${min} to ${max}`);
  return number;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`portcullis control plane: ${message}\n`);
  process.exitCode = error instanceof Usage ? 2 : 1;
}
