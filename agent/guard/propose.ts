/**
 * A guard for a host that has none: ssh, where sshd listens, from the address of the person who is logged in by it.
 * Only proposes; what it cannot know it leaves as a comment, and without a way in for management there is no proposal.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { parseAddress } from "#schema/address.ts";

export interface Surroundings {
  /** TCP ports that sshd listens on, ascending. */
  readonly sshPorts: readonly number[];
  /** Address of the other end of this session's ssh; undefined at a console. */
  readonly peer: string | undefined;
  /** Device of the IPv4 default route. */
  readonly uplink: string | undefined;
}

/** YAML of a guard file; undefined where nothing says who manages this host. */
export function proposeGuard({ sshPorts, peer, uplink }: Surroundings): string | undefined {
  const source = peer === undefined ? undefined : parseAddress(peer);
  if (source?.ok !== true || sshPorts.length === 0) return undefined;
  const cidr = `${peer}/${source.value.prefix}`;
  return [
    "# Who manages this host. Nothing that is published can name, narrow or remove it.",
    "# Proposed from this ssh session: widen it to the network you manage from.",
    ...(uplink === undefined
      ? []
      : [`# The default route leaves by ${uplink}: do not list it under interfaces.`]),
    "management:",
    "  allow:",
    ...sshPorts.map((port) => `    - { cidr: "${cidr}", proto: tcp, port: ${port} }`),
    "on_failure: last-good # or closed",
    "on_expiry: close # or hold",
    "",
  ].join("\n");
}

/** What this machine says; anything that cannot be read is left out. */
export function lookAround(environment: NodeJS.ProcessEnv): Surroundings {
  const listening = new Map(["tcp", "tcp6"].flatMap((name) => listeners(lines(`/proc/net/${name}`))));
  const ports = processesNamed("sshd").flatMap((pid) =>
    socketsOf(pid).flatMap((inode) => listening.get(inode) ?? []),
  );
  return {
    sshPorts: [...new Set(ports)].toSorted((a, b) => a - b),
    // sshd(8): client address, client port, server address, server port.
    peer: environment["SSH_CONNECTION"]?.split(" ")[0],
    uplink: lines("/proc/net/route")
      .map((line) => line.split("\t"))
      .find(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000")?.[0],
  };
}

/** proc_net(5): local address in field 2, state in field 4 (0A is listening), inode in field 10. */
function listeners(table: readonly string[]): readonly (readonly [inode: string, port: number])[] {
  return table.flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    const port = Number.parseInt(local.split(":")[1] ?? "", 16);
    return state === "0A" && port > 0 ? [[inode, port] as const] : [];
  });
}

const processesNamed = (name: string): readonly string[] =>
  entries("/proc").filter((pid) => /^\d+$/.test(pid) && lines(`/proc/${pid}/comm`)[0] === name);

const socketsOf = (pid: string): readonly string[] =>
  entries(`/proc/${pid}/fd`).flatMap((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(target(`/proc/${pid}/fd/${fd}`))?.[1];
    return inode === undefined ? [] : [inode];
  });

/** Processes come and go while we look. */
function reading<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
const lines = (path: string): readonly string[] => reading(() => readFileSync(path, "utf8").split("\n"), []);
const entries = (path: string): readonly string[] => reading(() => readdirSync(path), []);
const target = (path: string): string => reading(() => readlinkSync(path), "");
