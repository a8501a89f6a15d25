/**
 * What a report means for the rollouts that are open. The report itself is one row of the host's own; a rollout moves
 * only where that may matter: on news that is bad, or when it waits for nobody else. All else waits for the minute.
 */
import type { Report } from "#schema/wire.ts";
import type { Ports } from "../ports.ts";
import { awaitedBy } from "../store/rollout.ts";
import { advance } from "./advance.ts";

export async function told(ports: Ports, host: string, report: Report): Promise<void> {
  const awaited = await awaitedBy(ports.sql, host);
  if (awaited === undefined) return;
  const holds = awaited.seq !== null && (report.applied?.seq ?? 0) >= awaited.seq;
  if (isBad(report) || (holds && !awaited.awaitsOthers)) await advance(ports, awaited.rollout);
}

function isBad({ state, refusal, drift }: Report): boolean {
  switch (state) {
    case "reverted":
    case "hold":
    case "closed":
    case "degraded":
      return true;
    case "unenrolled":
    case "adopting":
    case "steady":
    case "applying":
    case "stale":
      return refusal !== null || drift !== null;
  }
}
