/** Requests that are far beyond the bounds of what they say: refused in steps that grow with their bytes alone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openMeter } from "#test/support/work.ts";

const meter = openMeter();
// Loaded when the meter runs, so that it counts every block.
const { openHarness } = await import("./contract/harness.ts");
const { hostToken } = await import("./contract/enrolled.ts");
const { reportOf } = await import("./contract/reports.ts");
const { openStandalone } = await import("#worker/standalone/index.ts");

const folder = mkdtempSync(join(tmpdir(), "portcullis-steps-"));
const h = await openHarness(async () => {
  const opened = await openStandalone({ data: folder, fleet: "f1", endpoints: [] });
  return {
    ports: opened.ports,
    admin: opened.admin.token,
    close: opened.close,
    damage: () => Promise.resolve(),
  };
});
let agent = "";
beforeAll(async () => {
  await h.put("host", "gw", {});
  agent = await hostToken(h, "gw");
});
afterAll(async () => {
  meter.close();
  await h.close();
  rmSync(folder, { recursive: true, force: true });
});

const names = (count: number) => Array.from({ length: count }, (_, i) => i.toString(36));
const overlay = {
  host: "gw",
  interfaces: ["tun0"],
  subnets: ["10.8.0.0/24"],
  policy: "group-based",
};
const change = (body: object) => ({
  op: "put",
  kind: "overlay",
  key: "office",
  body: { ...overlay, ...body },
});
const guard = { management: { interfaces: ["wg0"] } };

/** Each body by the number of entries in it. */
const requests: readonly (readonly [string, string, string, number, (count: number) => object])[] =
  [
    [
      "a report whose guard has that many interfaces",
      "POST",
      "/v1/agent/report",
      36_000,
      (count) => ({
        ...reportOf(1, {}),
        guard: { ...guard, management: { interfaces: names(count) } },
      }),
    ],
    [
      "a report with that many counters of a kind that is none",
      "POST",
      "/v1/agent/report",
      18_000,
      (count) => ({ ...reportOf(1, {}), counters: names(count) }),
    ],
    [
      "a plan of one overlay with that many groups",
      "POST",
      "/v1/plan",
      80_000,
      (count) => ({ changes: [change({ groups: names(count) })] }),
    ],
    [
      "an overlay with that many groups",
      "PUT",
      "/v1/overlays/office",
      80_000,
      (count) => ({ ...overlay, groups: names(count) }),
    ],
    [
      "a plan for that many hosts whose guard may refuse",
      "POST",
      "/v1/plan",
      140_000,
      (count) => ({ allow_guard_refusals: names(count), changes: [] }),
    ],
    [
      "a host with that many labels",
      "PUT",
      "/v1/hosts/gw",
      60_000,
      (count) => ({ labels: Object.fromEntries(names(count).map((name) => [name, "v"])) }),
    ],
  ];

describe("is refused in steps that double with its bytes:", () => {
  test.each(requests)("%s", async (_, method, path, most, body) => {
    const token = path === "/v1/agent/report" ? agent : h.admin;
    const steps = async (count: number): Promise<number> => {
      const text = JSON.stringify(body(count));
      const statuses = new Set<number>();
      const counted = await meter.countAwaited(async () => {
        statuses.add((await h.call(method, path, { token, text })).status);
      });
      h.advance(10_000);
      expect([...statuses]).toEqual([path === "/v1/agent/report" ? 400 : 422]);
      return counted;
    };
    await steps(most / 8);
    const [least, less, more] = [
      await steps(most / 8),
      await steps(most / 4),
      await steps(most / 2),
    ];
    expect((more - less) / (less - least)).toBeLessThan(2.4);
    // Its bytes are passed over once for keys that stand twice; little else is done for each entry.
    expect((await steps(most)) / most).toBeLessThan(100);
  });
});
