/** The catalog is the only source of open ports: packets chosen without `simulate`, and edits that touch few hosts. */
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Service } from "#schema/intent.ts";
import { examples, type Lab, waitForLab } from "#lab/story/lab.ts";
import { askOf } from "#lab/net/probe.ts";
import { macros } from "#schema/macros.ts";
import { testData } from "./lab-process.ts";
import { withLab } from "./open-lab.ts";

/** Whatever number the catalog's text holds, and whatever a macro in it may stand for, is no port of these. */
function portsInNoCatalog(count: number): readonly number[] {
  const text = readFileSync(join(examples, "services.yaml"), "utf8");
  const named = new Set([...text.matchAll(/\d+/g)].map(([digits]) => Number(digits)));
  const ranges = Object.values(macros).flat();
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(1, 65_536);
    if (!named.has(port) && !ranges.some(({ from, to }) => from <= port && port <= to))
      ports.add(port);
  }
  return [...ports];
}

test("a port that is in no catalog is shut on every host, to everybody, v4 and v6", async () => {
  const asks = portsInNoCatalog(8).flatMap((port) => [askOf(`tcp/${port}`), askOf(`udp/${port}`)]);
  await withLab(testData(), async (lab) => {
    const { stations } = lab.network;
    await lab.probers.listen(asks);
    const probes = stations
      .filter(({ managed }) => managed)
      .flatMap((to) =>
        stations
          .filter((from) => from !== to)
          .flatMap((from) => asks.map((ask) => ({ from, to, ask }))),
      );
    const open = async (): Promise<readonly string[]> =>
      (await lab.probers.answers(probes)).flatMap(({ v4, v6 }, i) => {
        const { from, to, ask } = probes[i] ?? {};
        return v4 || v6 ? [`${from?.name ?? ""} > ${to?.name ?? ""} ${ask?.text ?? ""}`] : [];
      });
    expect(await open(), "before any rule all are open, or the probe proves nothing").toHaveLength(
      probes.length,
    );
    await lab.startAgents();
    await waitForLab(lab);
    expect(await open()).toEqual([]);
  });
});

/** What the ETag of each host's poll is made of. */
async function timestamps(lab: Lab): Promise<ReadonlyMap<string, string>> {
  const { items } = await lab.control.api.call("GET /v1/hosts", {});
  const texts = new Map<string, string>();
  for (const { key } of items) {
    const params = { host: key, file: "timestamp.json" };
    texts.set(
      key,
      await lab.control.api.text("GET /v1/hosts/:host/repo/metadata/:file", { params }),
    );
  }
  return texts;
}

test("editing one service publishes to exactly the hosts it concerns", async () => {
  await withLab(testData(), async (lab) => {
    const touched = async (
      service: string,
      ingress: Service["ingress"],
      more: Pick<Service, "to"> = {},
    ): Promise<unknown> => {
      const before = await timestamps(lab);
      const body = { ingress, ...more };
      await lab.control.api.call("PUT /v1/services/:service", { params: { service }, body });
      return [...(await timestamps(lab))]
        .filter(([host, text]) => before.get(host) !== text)
        .map(([h]) => h);
    };
    const tcp = (from: string, port: number) => ({ from, port, proto: "tcp" }) as const;
    expect(await touched("photoprism", [tcp("reverse_proxy", 2342), tcp("laptop1", 2342)])).toEqual(
      ["photos1"],
    );
    expect(
      await touched("public_site", [tcp("any", 8444)], { to: ["role:reverse_proxy"] }),
    ).toEqual(["proxy1"]);
    expect(await touched("monitored", [tcp("mgmt", 9101)])).toEqual([
      "gw",
      "photos1",
      "proxy1",
      "vault1",
    ]);
    expect(await touched("nobody", [tcp("any", 1)], { to: ["host:laptop1"] })).toEqual(["laptop1"]);
    expect(await touched("nobody", [tcp("any", 1)], { to: ["host:laptop1"] })).toEqual([]);
  });
});
