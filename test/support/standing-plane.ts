/**
 * A standalone control plane as an operator runs it: a process of its own in a network namespace, speaking https on the
 * namespace's addresses, with a root and a catalog put there by the command line. Must be closed.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { openAuthority } from "#lab/fleet/authority.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { must, start, stop, waitUntil } from "#lab/run/process.ts";

const program = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
/** On loopback of its own namespace, where nothing else listens. */
const local = "127.0.0.1:8787";

const Enrolment = z.object({ token: z.string(), root_sha256: z.string() });

export interface StandingPlane {
  /** What hosts call it. */
  readonly url: string;
  /** PEM file of the authority that its certificate comes from. */
  readonly ca: string;
  /** Applies a catalog file's text as the whole intent. */
  apply(catalog: string): Promise<void>;
  enrolment(host: string): Promise<z.infer<typeof Enrolment>>;
  /** The command line's own JSON answer. */
  ask(...args: readonly string[]): Promise<unknown>;
  close(): Promise<void>;
}

/** @param address what hosts call it; it listens on every address of the namespace, also on later ones */
export async function openStandingPlane(
  namespace: string,
  address: string,
): Promise<StandingPlane> {
  const data = mkdtempSync(join(tmpdir(), "portcullis-standing-"));
  const { ca, certificate, key } = await openAuthority(join(data, "tls"), [address]);
  const log = openSync(join(data, "log"), "a");
  const tls = ["--tls-listen", "[::]:8443", "--tls-cert", certificate, "--tls-key", key];
  const plane = [
    program("worker/standalone/main.ts"),
    "--data",
    data,
    "--listen",
    local,
    "--poll-seconds",
    "5",
  ];
  const child = await start(inNamespace(namespace, process.execPath, ...plane, ...tls), log);
  closeSync(log);
  const close = async (): Promise<void> => {
    await stop(child);
    rmSync(data, { recursive: true, force: true });
  };
  const connection = ["--url", `http://${local}`, "--token-file", join(data, "admin.token")];
  const cli = (...args: readonly string[]): Promise<string> =>
    must(inNamespace(namespace, process.execPath, program("cli/main.ts"), ...args, ...connection));
  const ask = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse(await cli(...args, "--json"));
  try {
    await waitUntil("the control plane to listen", async () => {
      if (child.exitCode !== null) throw new Error(readFileSync(join(data, "log"), "utf8"));
      return Promise.resolve(
        readFileSync(join(data, "log"), "utf8").includes("first operator token") || undefined,
      );
    });
    await cli("root", "init", "--threshold", "1", "--keys", "1", "--out", join(data, "root"));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url: `https://${address}:8443`,
    ca,
    async apply(catalog) {
      const file = join(data, "catalog.yaml");
      writeFileSync(file, catalog);
      await cli("apply", "-f", file, "--yes");
    },
    enrolment: async (host) => Enrolment.parse(await ask("enrol", host)),
    ask,
    close,
  };
}
