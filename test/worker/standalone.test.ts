/** The contract suite on the standalone adapter, and what only this adapter promises. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStandalone } from "#worker/standalone/index.ts";
import type { Adapter } from "./contract/harness.ts";
import { blobContract } from "./contract/blobs.ts";
import { catalogContract } from "./contract/catalog.ts";
import { planContract } from "./contract/plan.ts";
import { reportContract } from "./contract/reports.ts";
import { retentionContract } from "./contract/retention.ts";
import { reportNumberContract } from "./contract/report-numbers.ts";
import { accessContract } from "./contract/access.ts";
import { answersContract } from "./contract/answers.ts";
import { inputContract } from "./contract/input.ts";
import { lineageContract } from "./contract/lineage.ts";
import { routeContract } from "./contract/routes.ts";
import { historyContract } from "./contract/history.ts";
import { releaseContract } from "./contract/release.ts";
import { rolloutRouteContract } from "./contract/rollout-routes.ts";
import { evidenceContract } from "./contract/evidence.ts";
import { rolloutContract } from "./contract/rollouts.ts";
import { raceContract } from "./contract/races.ts";
import { storeContract } from "./contract/store.ts";

async function open(): Promise<Adapter> {
  const data = mkdtempSync(join(tmpdir(), "portcullis-contract-"));
  const { ports, admin, close } = await openStandalone({ data, fleet: "f1", endpoints: [] });
  return {
    ports,
    admin: admin.token,
    damage: async (sha256) => {
      const file = join(data, "blobs", sha256.slice(0, 2), sha256);
      const bytes = readFileSync(file);
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      writeFileSync(file, bytes);
    },
    close: async () => {
      await close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

storeContract("standalone", open);
blobContract("standalone", open);
routeContract("standalone", open);
catalogContract("standalone", open);
planContract("standalone", open);
reportContract("standalone", open);
retentionContract("standalone", open);
reportNumberContract("standalone", open);
accessContract("standalone", open);
inputContract("standalone", open);
lineageContract("standalone", open);
answersContract("standalone", open);
historyContract("standalone", open);
releaseContract("standalone", open);
rolloutContract("standalone", open);
rolloutRouteContract("standalone", open);
evidenceContract("standalone", open);
raceContract("standalone", open);
raceContract("standalone without its queue", async () => {
  const adapter = await open();
  const { prepare, batch } = adapter.ports.sql;
  return { ...adapter, ports: { ...adapter.ports, sql: { prepare, batch } } };
});
