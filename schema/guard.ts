/**
 * The guard: a host's local, root-owned policy. It names the management plane, which no bundle can name, narrow or
 * remove (law 3), the limits within which a bundle is admitted, and what the host does when it cannot trust what it
 * holds. Read from a local file, never from the network; what agents report of it only informs the control plane.
 */
import * as z from "zod";
import { Cidr, InterfaceName, list, Port, unique } from "./primitives.ts";

/**
 * New connections to a port, or to the range from `port` to `last_port`: of the management plane from `cidr` to this
 * host, of `output` from this host to `cidr`.
 */
const GuardFlow = z
  .strictObject({
    cidr: Cidr,
    proto: z.enum(["tcp", "udp"]),
    port: Port,
    last_port: Port.optional(),
  })
  .refine((flow) => flow.last_port === undefined || flow.last_port > flow.port, {
    error: "expected last_port above port",
    path: ["last_port"],
  });
export type GuardFlow = z.infer<typeof GuardFlow>;

const nonEmpty =
  "expected at least one management interface or flow: without one this host could lock you out";

const Management = z
  .strictObject({
    interfaces: unique(InterfaceName, { max: 16 }).default([]),
    allow: list(GuardFlow, { max: 256 }).default([]),
  })
  .refine((management) => management.interfaces.length + management.allow.length > 0, {
    error: nonEmpty,
  });

/** Every flow that this host may begin; without one not even its control plane would be among them. */
const outputOf = (max: number) =>
  z.strictObject({ allow: list(GuardFlow, { min: 1, max }) }).optional();

/** How programs that make tunnels call them: OpenVPN, WireGuard, NetBird, Tailscale, ZeroTier, pppd, strongSwan. */
export const tunnelNames = [
  "tun*",
  "tap*",
  "wg*",
  "ovpn*",
  "wt*",
  "tailscale*",
  "zt*",
  "ppp*",
  "ipsec*",
  "xfrm*",
  "vti*",
] as const;

const expectedPattern = "expected an interface name, or what one begins with and a *";
const InterfacePattern = z
  .string({ error: expectedPattern })
  .regex(/^((?!\.{1,2}$)[A-Za-z0-9_.-]{1,15}|[A-Za-z0-9_.-]{1,14}\*)$/, { error: expectedPattern });

/**
 * What a bundle may judge of packets on their way through this host. Its overlays take everything that comes in or
 * leaves by their interfaces, so one on `eth0` could cut off every machine behind a hypervisor.
 */
const Forward = z.strictObject({
  /** Left out: devices named as tunnels are. */
  interfaces: unique(InterfacePattern, { max: 64 }).default([...tunnelNames]),
  /** Networks as wide as everybody that an overlay may have all the same, such as 0.0.0.0/0. */
  subnets: unique(Cidr, { max: 16 }).default([]),
});

/** What a guard says of it, and what one that says nothing means. */
export const forwardOf = ({ forward }: Pick<Guard, "forward">): z.infer<typeof Forward> =>
  forward ?? { interfaces: [...tunnelNames], subnets: [] };

/** A host name or address; it reaches a resolver and a socket, never a shell. */
const HostName = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$/, {
  error: "expected a host name or an address",
});

/** A connection that must succeed under a new ruleset before it is committed. */
const Probe = z.strictObject({ kind: z.literal("tcp"), host: HostName, port: Port });
export type Probe = z.infer<typeof Probe>;

/** Remote shells, container and cluster controls, and databases: opened to everybody only by mistake or by an attacker. */
export const neverFromAny = [22, 2375, 2379, 3306, 5432, 6379, 6443, 9200] as const;

const fields = {
  /** What always gets in: everything that arrives by an interface, and flows by source network and port. */
  management: Management,
  /**
   * Narrows what this host begins, closed or not, to these flows and what always passes (schema/always.ts). A bundle's
   * own rules may refuse more and open nothing. Left out: open.
   */
  output: outputOf(256),
  /** Left out it adds nothing to the digest, so that a guard from before it means what it says now. */
  forward: Forward.optional(),
  limits: z
    .strictObject({
      max_rules: z.int().min(1).max(Number.MAX_SAFE_INTEGER).default(20_000),
      max_elements: z.int().min(1).max(Number.MAX_SAFE_INTEGER).default(500_000),
      /** Ports, tcp and udp apart, that a bundle may open to everybody. */
      max_any_accept: z.int().min(0).max(131_070).default(128),
    })
    .prefault({}),
  /** When a bundle is refused or does not load: keep the last committed ruleset, or close. */
  on_failure: z.enum(["last-good", "closed"]).default("last-good"),
  /** When lease and grace are over: close, or keep the last committed ruleset. */
  on_expiry: z.enum(["close", "hold"]).default("close"),
  /** Between the end of the lease and closing; each host adds or takes up to a tenth of its own. */
  grace_hours: z.int().min(0).max(8_760).default(72),
  /** How long a new ruleset may take to prove itself, and what it must reach besides the control plane. */
  confirm: z
    .strictObject({
      seconds: z.int().min(15).max(600).default(60),
      probes: list(Probe, { max: 8 }).default([]),
    })
    .prefault({}),
  /** Ports that no bundle opens to everybody. */
  never_accept_from_any: list(Port, { max: 1_024 }).default([...neverFromAny]),
  /** What to do when somebody else changed our table: load the committed program again, or only say so. */
  drift: z.enum(["repair", "report"]).default("repair"),
};

/** The guard as agents use and report it: complete, presets merged in. */
export const Guard = z.strictObject(fields);
export type Guard = z.infer<typeof Guard>;

/** What a role of a host needs, in one word. */
const Preset = z.discriminatedUnion("name", [
  /** A Proxmox VE node: its interface, consoles, corosync, migration and Ceph, inside the cluster's networks only. */
  z.strictObject({ name: z.literal("proxmox-node"), cluster: unique(Cidr, { min: 1, max: 16 }) }),
  /** Managed over a NetBird network. */
  z.strictObject({ name: z.literal("netbird"), interface: InterfaceName.default("wt0") }),
]);

/** The guard file: a guard of which presets may say a part. */
export const GuardFile = z.strictObject({
  ...fields,
  management: z
    .strictObject({
      interfaces: unique(InterfaceName, { max: 16 }).default([]),
      allow: list(GuardFlow, { max: 64 }).default([]),
    })
    .prefault({}),
  output: outputOf(64),
  on_expiry: z.enum(["close", "hold"]).optional(),
  presets: list(Preset, { max: 4 }).default([]),
});
export type GuardFile = z.infer<typeof GuardFile>;

type Service = readonly [proto: "tcp" | "udp", port: number, lastPort?: number];

/** Proxmox VE administration guide, "Ports used by Proxmox VE"; Ceph, "Network configuration reference". */
const proxmoxServices: readonly Service[] = [
  ["tcp", 22],
  ["tcp", 3128],
  ["tcp", 3300],
  ["tcp", 5900, 5999],
  ["tcp", 6789],
  ["tcp", 6800, 7300],
  ["tcp", 8006],
  ["tcp", 60000, 60050],
  ["udp", 5405, 5412],
];

/** The same content, whichever way it was said: what is digested and reported. May lack a management plane. */
export function mergePresets({ presets, output, ...file }: GuardFile): z.input<typeof Guard> {
  const interfaces = new Set(file.management.interfaces);
  const cluster: GuardFlow[] = [];
  for (const preset of presets) {
    switch (preset.name) {
      case "netbird":
        interfaces.add(preset.interface);
        break;
      case "proxmox-node":
        cluster.push(...proxmoxFlows(preset.cluster));
        break;
    }
  }
  // A cluster that closes all its nodes at once loses its quorum and with it every machine on it.
  const hold = presets.some(({ name }) => name === "proxmox-node");
  return {
    ...file,
    management: {
      interfaces: [...interfaces],
      allow: eachOnce([...file.management.allow, ...cluster]),
    },
    // A node begins the same flows to its cluster that it takes from it.
    ...(output === undefined ? {} : { output: { allow: eachOnce([...output.allow, ...cluster]) } }),
    on_expiry: file.on_expiry ?? (hold ? "hold" : "close"),
  };
}

const eachOnce = (flows: readonly GuardFlow[]): GuardFlow[] => [
  ...new Map(flows.map((flow) => [JSON.stringify(flow), flow])).values(),
];

const proxmoxFlows = (cluster: readonly string[]): readonly GuardFlow[] =>
  cluster.flatMap((cidr) =>
    proxmoxServices.map(([proto, port, lastPort]) => ({
      cidr,
      proto,
      port,
      ...(lastPort === undefined ? {} : { last_port: lastPort }),
    })),
  );
