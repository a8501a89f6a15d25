/**
 * What a real agent reports, when, and as whose: as often as it is asked to, in a chain of digests, with the packets that
 * its rules refused; and two agents that run over one copied state.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inNamespace } from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { Report } from "#schema/wire.ts";
import { cycle, Deployment, type Host } from "./deployment.ts";
import { filesOf, publish, sha256 } from "./plane.ts";
import { admitting, type Namespace, openNamespace, openVictim, type Victim } from "./victim.ts";

describe("an agent", () => {
  let namespace: Namespace;
  let victim: Victim;
  beforeAll(async () => {
    namespace = await openNamespace();
  });
  afterAll(() => namespace.close());
  beforeEach(async () => {
    victim = await openVictim(namespace);
  });
  afterEach(() => victim.close());

  const sent = (): readonly string[] =>
    victim.plane.asked.filter(({ path }) => path === "/v1/agent/report").map(({ body }) => body);
  const read = (name: string): string => readFileSync(join(victim.directory, name), "utf8");
  const polls = (): number =>
    victim.plane.asked.filter(({ path }) => path === "/v1/agent/update").length;
  const reports = (): readonly Report[] => sent().map((body) => Report.parse(JSON.parse(body)));

  test("reports as often as it is asked to, and every hour again when it is not asked any more", async () => {
    // An hour back, so that the lease outlasts the hours that pass here.
    let now = Date.now() - 7_300_000;
    const reported = async (later: number): Promise<number> => {
      now += later;
      const before = sent().length;
      await victim.cycle();
      return sent().length - before;
    };
    victim.restart({ now: () => now });
    victim.plane.askIn(150);
    expect(await reported(0)).toBe(1);
    expect(await reported(149_999)).toBe(0);
    expect(await reported(1)).toBe(1);
    victim.plane.askIn(undefined);
    expect(await reported(150_000)).toBe(1);
    expect(await reported(3_599_999)).toBe(0);
    expect(await reported(1)).toBe(1);
  });

  test("heeds a control plane that has heard enough: it sends no report before its time, polls on, and tells all then", async () => {
    victim.restart();
    victim.plane.refuseReports("86400");
    const [told, polled] = [sent().length, polls()];
    for (let i = 0; i < 4; i += 1) expect((await victim.cycle()).believed).toBe(true);
    expect([sent().length - told, polls() - polled]).toEqual([1, 4]);
    // Another process has heard of no wait; one of a second is over by itself.
    victim.restart();
    victim.plane.refuseReports("1");
    await victim.cycle();
    const refusedAt = performance.now();
    victim.plane.refuseReports(undefined);
    const before = sent().length;
    for (let i = 0; i < 1000 && sent().length === before; i += 1) await victim.cycle();
    expect(performance.now() - refusedAt).toBeGreaterThanOrEqual(990);
    expect(victim.log.filter((line) => line.startsWith("report not delivered"))).toHaveLength(2);
  });

  test("says when it may poll again, as the control plane asked, for the pace of the next one", async () => {
    victim.restart();
    victim.plane.answer(
      (_, response) => void response.writeHead(503, { "retry-after": "30" }).end(),
    );
    const { waitMs } = await victim.cycle();
    expect(waitMs).toBeGreaterThan(29_000);
    expect(waitMs).toBeLessThanOrEqual(30_000);
    victim.plane.serve(victim.good);
    expect((await victim.cycle()).waitMs).toBe(0);
  });

  test.each([14, 3601])("takes no answer that asks for a report in %d seconds", async (seconds) => {
    victim.plane.askIn(seconds);
    victim.restart();
    await victim.cycle();
    expect(victim.log.at(-1)).toContain("report not delivered: response_malformed");
  });

  test.each([2 ** 52, 2 ** 33, Math.floor(Date.now() / 1000) + 2 ** 20 + 1000])(
    "takes no count of %d, which it cannot have come to, and counts on with the next sound answer",
    async (claimed) => {
      const count = (): number => (JSON.parse(read("report.json")) as { n: number }).n;
      const before = count();
      victim.plane.claim(claimed);
      victim.restart();
      await victim.cycle();
      expect(victim.log.at(-1)).toContain("report not delivered: response_malformed");
      expect(count()).toBe(before + 1);
      victim.plane.claim(undefined);
      await victim.cycle();
      expect(reports().at(-1)?.n).toBe(before + 2);
      expect(victim.log.filter((line) => line.startsWith("report not delivered"))).toHaveLength(1);
    },
  );

  test("goes on above a count that it may have come to, as after its own was torn", async () => {
    const seconds = Math.floor(Date.now() / 1000) + 1_000;
    victim.plane.claim(seconds);
    victim.restart();
    await victim.cycle();
    expect(reports().at(-1)?.n).toBe(seconds + 1);
  });

  test("a count that an earlier version let run away begins anew, and its reports are taken", async () => {
    writeFileSync(
      join(victim.directory, "report.json"),
      JSON.stringify({ n: 2 ** 52 + 1, sha256: null }),
    );
    victim.restart();
    await victim.cycle();
    const last = reports().at(-1);
    expect(Math.abs((last?.n ?? 0) - Date.now() / 1000)).toBeLessThan(60);
    expect(last?.prev).toBeNull();
    expect(victim.log.join()).not.toContain("report not delivered");
  });

  test("names in each report the digest of the one before as it was sent, over restarts, and none when that is lost", async () => {
    victim.restart();
    await victim.cycle();
    const bodies = sent();
    expect(reports().map(({ prev }) => prev)).toEqual([null, ...bodies.slice(0, -1).map(sha256)]);
    for (const text of ["", '{"n":']) {
      writeFileSync(join(victim.directory, "report.json"), text);
      victim.restart();
      await victim.cycle();
      expect(reports().at(-1)?.prev).toBeNull();
    }
    rmSync(join(victim.directory, "report.json"));
    victim.restart();
    await victim.cycle();
    // The second is above what the control plane has, and begins the chain anew.
    expect(
      reports()
        .slice(-2)
        .map(({ prev }) => prev),
    ).toEqual([null, null]);
    expect(reports().at(-1)?.n).toBe((reports().at(-3)?.n ?? 0) + 1);
  });

  test("counts the packets that its rules refused, on over a new bundle, and no others", async () => {
    const [office, rest] = admitting("198.51.100.1").rules;
    if (office === undefined || rest === undefined) throw new Error("expected two rules");
    const out = {
      ...rest,
      section: "deny" as const,
      direction: "out" as const,
      protocol: udp(9),
      row: "hosts/gw#out",
      counter: "r_out",
    };
    const any = { kind: "any" as const };
    const passes = {
      ...out,
      section: "end" as const,
      protocol: any,
      verdict: "accept" as const,
      counter: "r_passes",
    };
    const ruleset = { ...admitting("198.51.100.1"), rules: [office, rest, out, passes] };
    const third = await publish(victim.authority, ruleset, victim.second);
    victim.plane.serve(filesOf(third));
    await victim.cycle();
    expect(reports().at(-1)?.drops).toBe(0);
    const inside = (...argv: readonly string[]) => must(inNamespace(namespace.name, ...argv));
    await inside("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
    await inside("ip", "addr", "add", "203.0.113.1/24", "dev", "d0");
    for (const device of ["d0", "d1"]) await inside("ip", "link", "set", device, "up");
    // A packet that is dropped on its way out is an error to who sends it.
    const send = "for port in 9 9 10 9; do echo > /dev/udp/203.0.113.2/$port || true; done";
    await inside("bash", "--norc", "-c", send);
    const wider = {
      ...ruleset,
      ...admitting("198.51.100.1", "198.51.100.2"),
      rules: ruleset.rules,
    };
    victim.plane.serve(filesOf(await publish(victim.authority, wider, third)));
    await victim.cycle();
    expect(reports().at(-1)).toMatchObject({ state: "steady", applied: { seq: 4 }, drops: 3 });
  });
});

const udp = (port: number) => ({
  kind: "udp" as const,
  ports: { kind: "ranges" as const, ranges: [{ from: port, to: port }] },
  sourcePorts: { kind: "any" as const },
});

describe("a copied state directory", () => {
  const deployment = new Deployment();
  const catalog = (port: number): string => `portcullis: 1
hosts:
  web1: { addresses: [192.0.2.11], roles: [web] }
services:
  web:
    ingress:
      - { from: 198.51.100.0/24, port: ${port}, proto: tcp }
`;
  const warnings = async (): Promise<string> => (await deployment.run("hosts", "web1")).join("\n");
  const steady = async (host: Host): Promise<void> =>
    expect(await cycle(host)).toMatchObject({ refusal: undefined, state: { kind: "steady" } });

  beforeAll(async () => {
    await deployment.start();
    await deployment.run(
      "root",
      "init",
      "--threshold",
      "1",
      "--keys",
      "1",
      "--out",
      deployment.at("keys"),
    );
    await deployment.apply(catalog(443));
  });
  afterAll(() => deployment.close());

  test("is told once both agents reported, closes neither, and is forgotten with a new key", async () => {
    const one = await deployment.join("web1");
    await steady(one);
    const other = await deployment.copy("web1", "web1-copy");
    await steady(other);
    expect(await warnings()).not.toContain("suspected_clone");
    await deployment.apply(catalog(444));
    await steady(one);
    expect(await warnings()).toContain("two agents report under its key");
    await deployment.apply(catalog(445));
    for (const host of [one, other]) await steady(host);
    await steady(await deployment.join("web1", "web1-anew"));
    expect(await warnings()).not.toContain("two agents report under its key");
  });
});
