/**
 * Hosts of the lab: a real agent, as its own process, inside the host's namespace. State and guard are kept per host in
 * the data folder, so a host that comes back is the same host. A token reaches the agent by a private file, never argv.
 */
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StatusReport } from "#agent/report/status.ts";
import { type RefusalCode, refusalEntry } from "#schema/refusals.ts";
import type { Api } from "./api.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { must, start, waitUntil } from "#lab/run/process.ts";
import type { LabState } from "#lab/net/state.ts";

const agentProgram = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));

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

const logOf = (host: LabHost): string => join(host.folder, "agent.log");

/** The agent's command line in its namespace. */
function makeAgentCommand(
  host: LabHost,
  command: string,
  ...rest: readonly string[]
): readonly string[] {
  const files = [
    "--state-dir",
    join(host.folder, "state"),
    "--guard",
    join(host.folder, "guard.yaml"),
  ];
  const argv = [process.execPath, agentProgram, command, ...rest, ...files];
  return inNamespace(host.namespace, ...argv);
}

export const agentStatus = async (host: LabHost): Promise<StatusReport> =>
  StatusReport.parse(JSON.parse(await must(makeAgentCommand(host, "status", "--json"))));

/** Writes the guard and, unless this host is enrolled already, enrols it with a one-time token. */
export async function prepareHost(host: LabHost, api: Api): Promise<"joined" | "known"> {
  mkdirSync(host.folder, { recursive: true, mode: 0o700 });
  const guard = `management:\n  interfaces: [${host.managementInterface}]\n`;
  writeFileSync(join(host.folder, "guard.yaml"), guard, { mode: 0o600 });
  const isNew = !existsSync(join(host.folder, "state"));
  if (!isNew && (await agentStatus(host)).state !== "unenrolled") return "known";
  const { token, root_sha256 } = await api.call("POST /v1/enrolments", {
    body: { host: host.name },
  });
  const tokenFile = join(host.folder, "enrolment.token");
  writeFileSync(tokenFile, token, { mode: 0o600 });
  try {
    const pin = ["--root-sha256", root_sha256, "--token-file", tokenFile];
    await must(makeAgentCommand(host, "join", host.url, ...pin, "--ca", host.ca, "--enforce"));
  } finally {
    rmSync(tokenFile);
  }
  return "joined";
}

/** Starts `portcullis-agent run`; it stays until it is told to end. */
export async function startAgent(host: LabHost, state: LabState): Promise<ChildProcess> {
  const log = openSync(logOf(host), "a", 0o600);
  const child = await start(makeAgentCommand(host, "run"), log);
  closeSync(log);
  if (child.pid !== undefined) state.started(child.pid);
  return child;
}

/**
 * What a host refused of what it was served since `since`. A refusal about the transport judges nothing that was served:
 * on a busy machine a poll comes too late, and the host asks again.
 */
export const findRefusalSince = (
  last: StatusReport["last_refusal"],
  since: Date,
): RefusalCode | undefined =>
  last !== null &&
  Date.parse(last.at) >= since.getTime() &&
  refusalEntry(last.code).class !== "transport"
    ? last.code
    : undefined;

/** Waits until the host has judged what it is served since `since`. @returns the refusal's code */
export function waitForRefusal(
  host: LabHost,
  since: Date,
  patienceMs: number,
): Promise<RefusalCode> {
  const readRefusal = async (): Promise<RefusalCode | undefined> =>
    findRefusalSince((await agentStatus(host)).last_refusal, since);
  return waitUntil(`${host.name} to refuse (its log is ${logOf(host)})`, readRefusal, patienceMs);
}
