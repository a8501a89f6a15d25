/**
 * Names of kernel objects, from intent keys that hold more characters than kernel identifiers may (DESIGN §12).
 * The encoding is injective: two keys that differ never share a set, a class or a counter.
 */
import { encodeName } from "#schema/names.ts";
import { ObjectName } from "#schema/ruleset.ts";

/** Row ids of an overlay; what audits, counters and verdict files call its rules. */
export const overlayRows = {
  sameSubnet: (overlay: string): string => `overlays/${overlay}#same-subnet`,
  group: (overlay: string, group: string): string => `overlays/${overlay}#group/${group}`,
  policy: (overlay: string): string => `overlays/${overlay}#policy`,
  egress: (overlay: string): string => `overlays/${overlay}#egress`,
  ingress: (overlay: string): string => `overlays/${overlay}#ingress`,
} as const;

/** The row that nobody wrote: no grant, no way in. The same on every host, so that equal rules stay equal bytes. */
export const defaultRow = "defaults/host#in";
/** `digest` is of the grant's content, never its position, so that a neighbour's edit renames nothing. */
export const grantRow = (service: string, digest: string): string =>
  `services/${service}#${digest}`;

export const rowCounter = (row: string): string => `r_${encodeName(row)}`;
export const groupSet = (overlay: string, group: string): string =>
  `g_${encodeName(`${overlay}/${group}`)}`;
/** One set for each source; `h_` holds addresses of hosts, `n_` networks. */
export const sourceSets = {
  zone: (zone: string): string => `n_zone_${encodeName(zone)}`,
  network: (cidr: string): string => `n_cidr_${encodeName(cidr)}`,
  role: (role: string): string => `h_role_${encodeName(role)}`,
  host: (host: string): string => `h_host_${encodeName(host)}`,
} as const;
export const groupClass = (overlay: string, group: string): string =>
  `k_${encodeName(`${overlay}/${group}`)}`;
export const classMapName = (overlay: string): string => `m_${encodeName(overlay)}`;

/** The counter is the longest name made from an overlay's row, so where it fits, the set and the class fit too. */
export const fits = (row: string): boolean => isObjectName(rowCounter(row));

export const isObjectName = (name: string): boolean => ObjectName.safeParse(name).success;
