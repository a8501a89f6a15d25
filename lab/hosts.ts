/**
 * Hosts of the lab: a real agent, as its own process, inside the host's namespace. State and guard are kept per host in
 * the data folder, so a host that comes back is the same host. A token reaches the agent by a private file, never argv.
 */
import type { ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import type { Api } from "./api.ts";
import { must, type Outcome, run, start } from "./process.ts";
import type { LabState } from "./state.ts";

const agentProgram = fileURLToPath(new URL("../agent/main.ts", import.meta.url));

export interface LabHost {
  readonly name: string;
  readonly namespace: string;
  /** Holds `state/`, `guard.yaml` and `agent.log`. */
  readonly folder: string;
  readonly managementInterface: string;
  /** Control plane as the host sees it, and the CA that vouches for it. */
  readonly url: string;
  readonly ca: string;
}

/** The agent's command line in its namespace; also what a person may copy from the lab's output. */
export const agentCommand = (
  host: LabHost,
  command: string,
  ...rest: readonly string[]
): readonly string[] => [
  ...["ip", "netns", "exec", host.namespace, process.execPath, agentProgram, command, ...rest],
  ...["--state-dir", join(host.folder, "state"), "--guard", join(host.folder, "guard.yaml"), "--ca", host.ca],
];

const Enrolment = z.object({ token: z.string(), root_sha256: z.string() });
const Status = z.object({ state: z.string() });

/** Writes the guard and, unless this host is enrolled already, enrols it with a one-time token. */
export async function prepareHost(host: LabHost, api: Api): Promise<"joined" | "known"> {
  mkdirSync(host.folder, { recursive: true, mode: 0o700 });
  const guard = `management:\n  interfaces: [${host.managementInterface}]\n`;
  writeFileSync(join(host.folder, "guard.yaml"), guard, { mode: 0o600 });
  const status = Status.parse(JSON.parse((await runAgent(host, "status", "--json")).stdout));
  if (status.state !== "unenrolled") return "known";
  const { token, root_sha256 } = await api.send("POST", "/v1/enrolments", { host: host.name }, Enrolment);
  const tokenFile = join(host.folder, "enrolment.token");
  writeFileSync(tokenFile, token, { mode: 0o600 });
  try {
    await must(agentCommand(host, "join", host.url, "--root-sha256", root_sha256, "--token-file", tokenFile));
  } finally {
    rmSync(tokenFile);
  }
  return "joined";
}

export const runAgent = (host: LabHost, command: string, ...rest: readonly string[]): Promise<Outcome> =>
  run(agentCommand(host, command, ...rest));

/** Starts `portcullis-agent run`; it stays until it is told to end. */
export async function startAgent(host: LabHost, state: LabState): Promise<ChildProcess> {
  const log = openSync(join(host.folder, "agent.log"), "a", 0o600);
  const child = await start(agentCommand(host, "run"), log);
  closeSync(log);
  if (child.pid !== undefined) state.started(child.pid);
  return child;
}
