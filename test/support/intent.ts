/** Intent for tests: a list of rows, as goldens hold it, into the compiler's snapshot. Strict, like the API. */
import * as z from "zod";
import { Host, kinds, Member, Overlay, Service, Zone } from "#schema/intent.ts";
import type { Snapshot } from "#schema/intent.ts";

export const IntentRows = z.array(
  z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("host"), key: kinds.host.key, body: Host }),
    z.strictObject({ kind: z.literal("member"), key: kinds.member.key, body: Member }),
    z.strictObject({ kind: z.literal("overlay"), key: kinds.overlay.key, body: Overlay }),
    z.strictObject({ kind: z.literal("service"), key: kinds.service.key, body: Service }),
    z.strictObject({ kind: z.literal("zone"), key: kinds.zone.key, body: Zone }),
  ]),
);
/** A row as people write it, defaults left out. */
export type WrittenRow = z.input<typeof IntentRows>[number];

/** Rows in the order given, so that tests can shuffle. @throws when a row is not valid intent */
export function snapshotOf(written: readonly WrittenRow[]): Snapshot {
  const hosts = new Map<string, Host>();
  const overlays = new Map<string, Overlay>();
  const members = new Map<string, Member>();
  const services = new Map<string, Service>();
  const zones = new Map<string, Zone>();
  for (const row of IntentRows.parse(written))
    if (row.kind === "host") hosts.set(row.key, row.body);
    else if (row.kind === "overlay") overlays.set(row.key, row.body);
    else if (row.kind === "member") members.set(row.key, row.body);
    else if (row.kind === "service") services.set(row.key, row.body);
    else zones.set(row.key, row.body);
  return { revision: 1, hosts, overlays, members, services, zones };
}
