/**
 * A guard for a host that has none: ssh, where sshd listens, from the address of the person who is logged in by it.
 * Only proposes; what it cannot know it leaves as a comment, and without a way in for management there is no proposal.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { parseAddress } from "#schema/address.ts";
import { tunnelNames } from "#schema/guard.ts";
import { compareText } from "#schema/order.ts";
import { InterfaceName } from "#schema/primitives.ts";
import { readListeners } from "../observe/listeners.ts";

export interface Surroundings {
  /** TCP ports that sshd listens on, ascending; not those on a loopback address. */
  readonly sshPorts: readonly number[];
  /** Address of the other end of this session's ssh; undefined at a console. */
  readonly peer: string | undefined;
  /** Device of the IPv4 default route. */
  readonly uplink: string | undefined;
  /** Devices that are tunnels now, whatever they are called; sorted. */
  readonly tunnels: readonly string[];
}

/** YAML of a guard file; undefined where nothing says who manages this host. */
export function proposeGuard({
  sshPorts,
  peer,
  uplink,
  tunnels,
}: Surroundings): string | undefined {
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
    ...forwardLines(tunnels, uplink),
    "on_failure: last-good # or closed",
    "on_expiry: close # or hold",
    "",
  ].join("\n");
}

/** Said in full where names alone would miss a tunnel, or take the way to everybody else for one. */
function forwardLines(tunnels: readonly string[], uplink: string | undefined): readonly string[] {
  const named = tunnelNames.join(", ");
  const isTunnelByName = (device: string): boolean =>
    tunnelNames.some((pattern) => device.startsWith(pattern.slice(0, -1)));
  const others = tunnels.filter((device) => device !== uplink);
  if (others.every(isTunnelByName) && (uplink === undefined || !isTunnelByName(uplink)))
    return [
      `# Bundles judge what is forwarded by tunnels alone (${named}); name others under forward.`,
    ];
  return [
    "# The tunnels of this host, by which alone a bundle may judge what is forwarded.",
    "forward:",
    `  interfaces: [${others.map((device) => JSON.stringify(device)).join(", ")}]`,
  ];
}

/** What this machine says; anything that cannot be read is left out. */
export function readSurroundings(environment: NodeJS.ProcessEnv): Surroundings {
  // By process, not by the first who holds a socket: that is systemd where it listened for sshd.
  const held = new Set(processesNamed("sshd").flatMap(socketsOf));
  const found = readListeners().filter(
    ({ protocol, inode }) => protocol === "tcp" && held.has(inode),
  );
  return {
    sshPorts: [...new Set(found.map(({ port }) => port))],
    // sshd(8): client address, client port, server address, server port.
    peer: environment["SSH_CONNECTION"]?.split(" ")[0],
    tunnels: entries("/sys/class/net")
      .filter((device) => InterfaceName.safeParse(device).success && isTunnel(device))
      .toSorted(compareText),
    uplink: lines("/proc/net/route")
      .map((line) => line.split("\t"))
      .find(
        ([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000",
      )?.[0],
  };
}

/** ARPHRD_PPP and ARPHRD_NONE (include/uapi/linux/if_arp.h): what has no link layer of its own, WireGuard among it. */
const tunnelTypes: ReadonlySet<string> = new Set(["512", "65534"]);

/** Made by the tun driver, tap devices among them, or of a tunnel's type. */
const isTunnel = (device: string): boolean =>
  lines(`/sys/class/net/${device}/tun_flags`).length > 0 ||
  tunnelTypes.has(lines(`/sys/class/net/${device}/type`)[0] ?? "");

const processesNamed = (name: string): readonly string[] =>
  entries("/proc").filter((pid) => /^\d+$/.test(pid) && lines(`/proc/${pid}/comm`)[0] === name);

const socketsOf = (pid: string): readonly number[] =>
  entries(`/proc/${pid}/fd`).flatMap((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(target(`/proc/${pid}/fd/${fd}`))?.[1];
    return inode === undefined ? [] : [Number(inode)];
  });

/** Processes come and go while we look. */
function readOr<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
const lines = (path: string): readonly string[] =>
  readOr(() => readFileSync(path, "utf8").split("\n"), []);
const entries = (path: string): readonly string[] => readOr(() => readdirSync(path), []);
const target = (path: string): string => readOr(() => readlinkSync(path), "");
