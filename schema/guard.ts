/**
 * The guard: a host's local, root-owned policy. It names the management plane, which no bundle can name, narrow or
 * remove (law 3), and the limits within which a bundle is admitted. Read from a local file, never from the network.
 */
import * as z from "zod";
import { Cidr, InterfaceName, Port, unique } from "./primitives.ts";

/** A management flow: new connections from `cidr` to a local port. */
const ManagementFlow = z.strictObject({
  cidr: Cidr,
  proto: z.enum(["tcp", "udp"]),
  port: Port,
});

const nonEmpty =
  "expected at least one management interface or flow: without one this host could lock you out";

export const Guard = z.strictObject({
  /** What always gets in: everything that arrives by an interface, and flows by source network and port. */
  management: z
    .strictObject({
      interfaces: unique(InterfaceName).max(16).default([]),
      allow: z.array(ManagementFlow).max(64).default([]),
    })
    .refine((management) => management.interfaces.length + management.allow.length > 0, { error: nonEmpty }),
  limits: z
    .strictObject({
      max_rules: z.int().min(1).default(20_000),
      max_elements: z.int().min(1).default(500_000),
    })
    .default({ max_rules: 20_000, max_elements: 500_000 }),
  /** What to do when somebody else changed our table: load the committed program again, or only say so. */
  drift: z.enum(["repair", "report"]).default("repair"),
});
export type Guard = z.infer<typeof Guard>;
