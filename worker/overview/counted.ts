/** What an adopting host has counted that its bundle would refuse, row by row: its report has numbers, we have the rules. */
import { listRefusalCounters, render } from "#core/render/index.ts";
import type { HostStatus } from "#schema/api/hosts.ts";
import { decodeBundle } from "#schema/bundle.ts";
import { compareText } from "#schema/order.ts";
import type { Ports } from "#worker/ports/index.ts";
import type { HostStatus as StoredStatus } from "#worker/hosts/index.ts";

export type Counted = NonNullable<HostStatus["report"]>["counted"];

/** Most rows that are told, those with most packets first. */
const rowsMax = 50;

/** Null unless the host is adopting, under a guard that it reported. */
export async function countedBy(ports: Ports, { served, report }: StoredStatus): Promise<Counted> {
  if (report?.body.state !== "adopting" || report.body.guard === null || served === undefined)
    return null;
  const bytes = await ports.blobs.get(served.bundle_sha256);
  const decoded = bytes === undefined ? undefined : decodeBundle(bytes);
  if (decoded?.ok !== true) return null;
  const rendered = render(decoded.ruleset, report.body.guard);
  if (!rendered.ok) return null;
  const refusing = new Set(listRefusalCounters(rendered.program));
  const rows = new Map(decoded.ruleset.rules.map(({ counter, row }) => [counter, row]));
  const packets = new Map<string | null, number>();
  for (const { name, packets: seen } of report.body.counters) {
    if (seen === 0 || !refusing.has(name)) continue;
    const row = rows.get(name) ?? null;
    packets.set(row, (packets.get(row) ?? 0) + seen);
  }
  const most = [...packets]
    .map(([row, seen]) => ({ row, packets: seen }))
    .sort((a, b) => b.packets - a.packets || compareText(a.row ?? "", b.row ?? ""));
  return { rows: most.slice(0, rowsMax), packets: most.reduce((sum, row) => sum + row.packets, 0) };
}
