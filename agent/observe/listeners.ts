/**
 * What listens on this host where another host could reach it: TCP sockets that listen and UDP sockets without a peer,
 * in the network namespace of this process. Reads /proc/net (proc_net(5)); starts no program and needs no privilege,
 * and costs the same however many connections there are. Sockets on a loopback address are left out.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";
import { endianness } from "node:os";
import { compareNetworks, formatAddress, requireNetwork } from "#schema/address.ts";
import { compareText } from "#schema/order.ts";
import { isErrno } from "#agent/disk/files.ts";
import { printable } from "#agent/machine/refusal.ts";

export interface Listener {
  readonly protocol: "tcp" | "udp";
  /** Canonical; `0.0.0.0` and `::` are every address. A socket on `::` most often takes IPv4 too. */
  readonly address: string;
  readonly port: number;
  /** UDP on a port that the kernel hands out to clients: a client waiting for its answer looks the same as a service. */
  readonly ephemeral: boolean;
  /** Names the socket in /proc/<pid>/fd; 0 for one of the kernel's own. */
  readonly inode: number;
}

/** Ports that the kernel gives to whoever asks for none, both inclusive. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

const tables = [
  ["tcp", "/proc/net/tcp"],
  ["tcp", "/proc/net/tcp6"],
  ["udp", "/proc/net/udp"],
  ["udp", "/proc/net/udp6"],
] as const;

/** TCP_LISTEN; for UDP TCP_CLOSE, which is a socket without a peer (net/ipv4/udp.c). */
const waiting = { tcp: "0A", udp: "07" } as const;

/** By protocol, port and address, each once. A table that this kernel does not have holds nothing. @throws errno */
export function readListeners(): readonly Listener[] {
  const given = parsePortRange(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"));
  const read = tables.flatMap(([protocol, path]) =>
    parseListeners(protocol, readWaitingLines(protocol, path), given),
  );
  const byPlace = new Map(read.map((found) => [place(found), found]));
  return [...byPlace.values()].toSorted(compareListeners);
}

const place = ({ protocol, port, address }: Listener): string => `${protocol} ${port} ${address}`;

const compareListeners = (a: Listener, b: Listener): number =>
  compareText(a.protocol, b.protocol) ||
  a.port - b.port ||
  compareNetworks(requireNetwork(a.address), requireNetwork(b.address));

/** The kernel prints listening TCP sockets before all others (tcp_seq_start), so reading ends with the last of them. */
function readWaitingLines(protocol: "tcp" | "udp", path: string): readonly string[] {
  let table: number;
  try {
    table = openSync(path, "r");
  } catch (error) {
    // A kernel without IPv6.
    if (isErrno(error) && error.code === "ENOENT") return [];
    throw error;
  }
  try {
    const part = Buffer.allocUnsafe(readBytes);
    let text = "";
    let bytes = 0;
    do {
      bytes = readSync(table, part);
      text += part.toString("latin1", 0, bytes);
    } while (bytes > 0 && !(protocol === "tcp" && isPastListening(text)));
    return text.split("\n");
  } finally {
    closeSync(table);
  }
}

/** By the last line of a text. */
const isPastListening = (text: string): boolean => {
  const read = text.trimEnd();
  const state = stateOf(read.slice(read.lastIndexOf("\n") + 1));
  return state !== undefined && state !== waiting.tcp;
};

/** Of a table at once. */
const readBytes = 16_384;

const entry =
  /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) (.*)$/;

const stateOf = (line: string): string | undefined => entry.exec(line)?.[3];

/** Sockets of one table that wait for others; lines that are not entries are the table's heading. */
export function parseListeners(
  protocol: "tcp" | "udp",
  lines: readonly string[],
  given: PortRange,
): readonly Listener[] {
  return lines.flatMap((line) => {
    const [, words = "", hexPort = "", state, rest = ""] = entry.exec(line) ?? [];
    if (state !== waiting[protocol]) return [];
    const address = addressOf(words);
    const port = Number.parseInt(hexPort, 16);
    if (isLoopback(address) || port === 0) return [];
    const ephemeral = protocol === "udp" && given.first <= port && port <= given.last;
    // After the state: queues, timer, retransmissions, uid, timeout, inode.
    return [{ protocol, address, port, ephemeral, inode: Number(rest.split(/\s+/)[5]) }];
  });
}

/** `ip_local_port_range`: two numbers. */
export function parsePortRange(text: string): PortRange {
  const [first = 0, last = 0] = text.trim().split(/\s+/).map(Number);
  return { first, last };
}

/** Words of 32 bits, each printed as this machine's own number. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.map((word) =>
    endianness() === "LE" ? (word.match(/../g) ?? []).toReversed().join("") : word,
  );
  const [first = "", second = "", third = "", last = ""] = bytes;
  if (bytes.length === 1) return formatAddress("v4", BigInt(`0x${first}`));
  // IPv4 on an IPv6 socket (RFC 4291 §2.5.5.2).
  const mapped = first + second === "0".repeat(16) && third === "0000FFFF";
  return mapped
    ? formatAddress("v4", BigInt(`0x${last}`))
    : formatAddress("v6", BigInt(`0x${bytes.join("")}`));
}

const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");

/**
 * Names of the processes that hold these sockets, by inode; the first found where several do. What this process may
 * not look into, and the kernel's own sockets, have no name here.
 */
export async function processNames(
  inodes: ReadonlySet<number>,
): Promise<ReadonlyMap<number, string>> {
  const names = new Map<number, string>();
  const pids =
    inodes.size === 0 ? [] : (await readEntries("/proc")).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    if (names.size === inodes.size) break;
    const links = await Promise.all(
      (await readEntries(`/proc/${pid}/fd`)).map((fd) => target(`/proc/${pid}/fd/${fd}`)),
    );
    const held = links.map(Number).filter((inode) => inodes.has(inode) && !names.has(inode));
    if (held.length === 0) continue;
    const name = await readOrEmpty(readFile(`/proc/${pid}/comm`, "utf8"));
    for (const inode of held) names.set(inode, printable(name.trim()));
  }
  return names;
}

const readEntries = async (path: string): Promise<readonly string[]> => {
  try {
    return await readdir(path);
  } catch (error) {
    return ignoreGone(error, []);
  }
};
/** Inode of the socket that a link leads to, as text; empty for anything else. */
const target = async (path: string): Promise<string> =>
  /^socket:\[(\d+)\]$/.exec(await readOrEmpty(readlink(path)))?.[1] ?? "";

const readOrEmpty = async (reading: Promise<string>): Promise<string> => {
  try {
    return await reading;
  } catch (error) {
    return ignoreGone(error, "");
  }
};

/** Processes come and go while we look, and some are not ours to look into. */
function ignoreGone<T>(error: unknown, otherwise: T): T {
  if (isErrno(error)) return otherwise;
  throw error;
}
