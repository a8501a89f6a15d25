/** The access contract on workerd, and the entry of the worker as it is deployed. */
import {
  createExecutionContext,
  createScheduledController,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import worker from "#worker/index.ts";
import { accessContract } from "#test/worker/contract/access.ts";
import { lineageContract } from "#test/worker/contract/lineage.ts";
import { openD1 } from "./adapter.ts";

accessContract("workerd", openD1);
lineageContract("workerd", openD1);

describe("the worker's entry", () => {
  test("answers a request", async () => {
    const context = createExecutionContext();
    const response = await worker.fetch(new Request("https://example.test/healthz"), env, context);
    await waitOnExecutionContext(context);
    expect(await response.json()).toMatchObject({ status: "ok", fleet: "main" });
  });

  test("maintains when cron fires", async () => {
    await expect(worker.scheduled(createScheduledController())).resolves.toBeUndefined();
  });
});
