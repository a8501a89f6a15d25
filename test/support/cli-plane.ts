/** A control plane of its own for tests of the command line, over a real socket, with its first token. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";
import { type Ended, runCli, type Surroundings } from "./cli.ts";

export interface CliPlane {
  readonly plane: Standalone;
  /** A folder for the test's own files. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** One command line of the operator. */
  run(...args: readonly string[]): Promise<Ended>;
  /** The same with more around it. */
  runWith(around: Surroundings, ...args: readonly string[]): Promise<Ended>;
  /** A request as any HTTP client makes it; the answer as JSON. @throws unless it is 2xx */
  request(method: string, path: string, body?: unknown): Promise<unknown>;
  close(): Promise<void>;
}

export async function openCliPlane(): Promise<CliPlane> {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-cli-"));
  const plane = await openStandalone({
    data: join(folder, "plane"),
    fleet: "f1",
    endpoints: [{ kind: "plain", host: "127.0.0.1", port: 0 }],
  });
  const url = plane.urls[0] ?? "";
  const env = { PORTCULLIS_URL: url, PORTCULLIS_TOKEN: plane.admin.token };
  return {
    plane,
    folder,
    env,
    run: (...args) => runCli(args, { env }),
    runWith: (around, ...args) => runCli(args, { env, ...around }),
    request: async (method, path, body) => {
      const response = await fetch(new URL(path, url), {
        method,
        headers: {
          authorization: `Bearer ${plane.admin.token}`,
          "content-type": "application/json",
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text === "" ? undefined : (JSON.parse(text) as unknown);
    },
    close: async () => {
      await plane.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
