/**
 * The control plane of the lab, on either runtime, on this machine's loopback; and its root, made once by the same
 * command an operator would type. Rows, keys and the root stay in the data folder.
 */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openStandalone } from "#worker/standalone/index.ts";
import { openApi } from "./api.ts";
import type { Runtime } from "#lab/run/options.ts";
import { must } from "#lab/run/process.ts";
import {
  type ControlPlane,
  fleet,
  leaseSeconds,
  maintainSeconds,
  pollSeconds,
} from "./settings.ts";
import type { LabState } from "#lab/net/state.ts";
import { openWorkerd } from "./workerd.ts";

export interface ControlPlaneOptions {
  readonly runtime: Runtime;
  readonly data: string;
  readonly port: number;
}

/** @throws Error in one sentence, such as that the port is taken and how to choose another */
export async function openControlPlane(
  options: ControlPlaneOptions,
  state: LabState,
): Promise<ControlPlane> {
  const { data, port } = options;
  await assertFree(port);
  switch (options.runtime) {
    case "workerd":
      return openWorkerd({ data, port }, (pid) => state.started(pid));
    case "standalone": {
      const endpoint = { kind: "plain", host: "127.0.0.1", port } as const;
      const settings = { fleet, pollSeconds, leaseSeconds, maintainSeconds };
      const opened = await openStandalone({ data, ...settings, endpoints: [endpoint] });
      const [url = ""] = opened.urls;
      const { file, token } = opened.admin;
      const close = (): Promise<void> => opened.close();
      return {
        url,
        port: Number(new URL(url).port),
        tokenFile: file,
        api: openApi(url, token),
        close,
      };
    }
  }
}

/** Asked first, because miniflare would try a taken port again and again in silence. */
async function assertFree(port: number): Promise<void> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  await once(server, "listening").catch(() => {
    throw new Error(`127.0.0.1:${port} is taken; choose another port: npm start -- --port N`);
  });
  server.close();
  await once(server, "close");
}

const cliProgram = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

/** Makes a 1-of-1 root unless the control plane has one. @returns whether it was made now */
export async function ensureRoot(control: ControlPlane, data: string): Promise<boolean> {
  if ((await control.api.bytes("/v1/root")) !== undefined) return false;
  const folder = join(data, "root");
  if (existsSync(folder))
    throw new Error(`${folder} exists, but the control plane has no root: remove one of them`);
  const keys = ["--threshold", "1", "--keys", "1", "--out", folder];
  await runCli(control, ["root", "init", ...keys]);
  return true;
}

/** `portcullis` as an operator types it, against this control plane. @returns what it said */
export function runCli(control: ControlPlane, args: readonly string[]): Promise<string> {
  const where = ["--url", control.url, "--token-file", control.tokenFile];
  return must([process.execPath, cliProgram, ...args, ...where]);
}
