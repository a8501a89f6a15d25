/**
 * How a host begins: whether it may enforce, or only counts what its bundle would cut until a person has looked and
 * says `adopt --yes`. The answer lies in the state directory, from `join` on. A host that joined without being asked,
 * by an agent before this question, enforces as it did.
 *
 * Also when the first enforcement is refused although it was asked for: a node of a cluster whose guard does not know
 * the cluster would cut it apart.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { LoadedGuard } from "#agent/guard/index.ts";
import { isErrno, readOptional, writeDurable } from "#agent/disk/files.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { everCommitted } from "#agent/disk/slots.ts";

export type Beginning = "count" | "enforce";

const beginningFile = (directory: string): string => join(directory, "beginning");

/** @throws Refused `state_unwritable` */
export function writeBeginning(directory: string, beginning: Beginning): void {
  try {
    writeDurable(beginningFile(directory), `${beginning}\n`);
  } catch (error) {
    if (isErrno(error)) throw new Refused("state_unwritable", `beginning: ${error.code}`);
    throw error;
  }
}

/** Whether this host may enforce; one that has once committed always may. */
export function mayEnforce(directory: string): boolean {
  const text = readOptional(beginningFile(directory))?.toString("utf8");
  return text === undefined || text === "enforce\n" || everCommitted(directory);
}

/** Programs of a Proxmox VE node that its cluster and its administrators reach over the network. */
const clusterPrograms: ReadonlySet<string> = new Set(["corosync", "pvedaemon", "pveproxy"]);

/**
 * @param processes names of what runs here, as /proc has them
 * @throws Refused `preset_missing` where a first enforcement would cut a cluster apart
 */
export function admitFirst({ presets }: LoadedGuard, processes: readonly string[]): void {
  // Workers say what they are after a space: `pveproxy worker`.
  const program = processes
    .map((name) => name.split(" ")[0] ?? "")
    .toSorted()
    .find((name) => clusterPrograms.has(name));
  if (program !== undefined && !presets.includes("proxmox-node"))
    throw new Refused(
      "preset_missing",
      `${program} runs here and the guard names no preset proxmox-node: enforcing would cut this node off its cluster`,
    );
}

/**
 * The name of every process that shares this one's network, as far as others may read it: a container's own are not
 * the host's. One whose network cannot be told counts, because a service without further powers may not look.
 */
export function processNames(): readonly string[] {
  const network = readlinkSync("/proc/self/ns/net");
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      const theirs = readOr(() => readlinkSync(`/proc/${pid}/ns/net`));
      const name = readOr(() => readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd());
      return name === undefined || (theirs !== undefined && theirs !== network) ? [] : [name];
    });
}

/** Undefined for what is gone or not ours to see: processes come and go while we look. */
function readOr(read: () => string): string | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error)) return undefined;
    throw error;
  }
}
