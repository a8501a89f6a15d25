/**
 * Decides whether this machine can hold the lab, and says exactly what is missing. Trying is the only honest test of a
 * privilege, so it makes one namespace and removes it again.
 */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "#lab/run/process.ts";
import type { LabState } from "./state.ts";

/** Each program and the Debian package that brings it. */
const programs = [
  ["nft", "nftables"],
  ["ip", "iproute2"],
  ["ping", "iputils-ping"],
  ["sysctl", "procps"],
  ["openssl", "openssl"],
] as const;

/** @returns what is missing, one sentence each; empty when all is there */
export async function findMissing(
  env: NodeJS.ProcessEnv,
  state: LabState,
): Promise<readonly string[]> {
  const path = (env["PATH"] ?? "").split(delimiter);
  const absent = programs
    .filter(([program]) => !path.some((folder) => isExecutable(join(folder, program))))
    .map(([program, debian]) => `${program} is not on PATH (Debian: apt-get install ${debian})`);
  if (process.geteuid?.() !== 0)
    return ["root: network namespaces and nftables need it (try sudo npm start)", ...absent];
  return absent.length > 0 ? absent : checkNamespaces(state);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // absent or not for us: either way not usable, which is the answer
  }
}

async function checkNamespaces(state: LabState): Promise<readonly string[]> {
  const namespace = `${state.prefix}-trial`;
  state.willMake([namespace]);
  const made = await run(["ip", "netns", "add", namespace]);
  if (made.code !== 0)
    return [`the right to make network namespaces (ip says: ${firstLine(made.stderr)})`];
  const loaded = await run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], {
    input: "add table inet trial\n",
  });
  await run(["ip", "netns", "del", namespace]);
  return loaded.code === 0
    ? []
    : [`nftables in the kernel (nft says: ${firstLine(loaded.stderr)})`];
}

const firstLine = (text: string): string => text.trim().split("\n")[0] ?? "";
