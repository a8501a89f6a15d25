/**
 * What rollouts decide on, as hosts' own reports bring it: heartbeats while a wave bakes, drops beside the host's own
 * rate before, and two agents under one key. On every adapter.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import type { Change } from "#schema/intent.ts";
import { RolloutHost } from "#schema/api/rollouts.ts";
import { RolloutView } from "#schema/rollout.ts";
import { Report } from "#schema/wire.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { takeReport } from "#worker/poll/report.ts";
import { enrolHost } from "./enrolled.ts";
import { type Adapter, type Harness, openHarness } from "./harness.ts";
import { speakerOf } from "#test/support/speaker.ts";

const hosts = ["a", "b", "c"] as const;
const bakeSeconds = 240;
const heartbeatSeconds = 60;

export function evidenceContract(name: string, open: () => Promise<Adapter>): void {
  describe(`evidence on ${name}`, () => {
    let h: Harness;
    const ports: number[] = [];
    beforeAll(async () => {
      h = await openHarness(open);
      await commit(h, hosts.map(hostChange));
      for (const host of hosts) await enrolHost(h, host);
    });
    beforeEach(async () => {
      ports.push(1000 + ports.length);
      await commit(h, [grant(ports)], "staged");
    });
    afterAll(() => h.close());
    heartbeats(() => h);
    denied(() => h);
    apart(() => h);
    clones(() => h);
  });
}

const hostChange = (key: string): Change => ({
  op: "put",
  kind: "host",
  key,
  body: { addresses: [], roles: ["web"], labels: {} },
});

/** One port more than before: only ever one phase. */
const grant = (ports: readonly number[]): Change => ({
  op: "put",
  kind: "service",
  key: "web",
  body: { ingress: ports.map((port) => ({ from: "any", port, proto: "tcp" })), to: ["role:web"] },
});

async function commit(h: Harness, changes: readonly Change[], release: "now" | "staged" = "now") {
  const result = await h.commit(changes, undefined, release);
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`);
}

/** Reports as an agent chains them (agent/report/chain.ts); `copy` is what a cloned state directory is. */
class Chain {
  readonly #h: Harness;
  readonly host: string;
  #n: number;
  #prev: string | null;
  #drops: number;

  constructor(h: Harness, host: string, n = 0, prev: string | null = null, drops = 0) {
    this.#h = h;
    this.host = host;
    this.#n = n;
    this.#prev = prev;
    this.#drops = drops;
  }

  copy(): Chain {
    return new Chain(this.#h, this.host, this.#n, this.#prev, this.#drops);
  }

  /** Holds what it is served. @returns seconds until the next report that the control plane would like */
  async report(over: object = {}): Promise<number | null> {
    return this.deliver(await this.next(over));
  }

  /** Counted and dated, and not sent. */
  async next(over: object = {}): Promise<Report> {
    const { ports } = this.#h;
    const served = await ports.sql
      .prepare("SELECT seq, revision, bundle_sha256 FROM repository WHERE host = ?1")
      .bind(this.host)
      .first<{ seq: number; revision: number; bundle_sha256: string }>();
    if (served === null) throw new Error(`${this.host} is served nothing`);
    this.#n += 1;
    const said = Report.parse({
      n: this.#n,
      prev: this.#prev,
      at: new Date(ports.clock.now()).toISOString(),
      boot_id: "boot",
      agent_version: "0",
      renderer: "r",
      state: "steady",
      applied: { ...served, program_sha256: served.bundle_sha256 },
      seen: { root: 1, timestamp: 1, targets: served.seq },
      guard_sha256: null,
      refusal: null,
      counters: [],
      drops: this.#drops,
      ...over,
    });
    this.#prev = await hashSha256(JSON.stringify(said));
    return said;
  }

  async deliver(said: Report): Promise<number | null> {
    const { n, next } = await takeReport(
      this.#h.ports,
      await speakerOf(this.#h.ports.sql, this.host),
      said,
      await hashSha256(JSON.stringify(said)),
    );
    // It goes on above what the control plane has, as a new chain.
    if (n > this.#n) [this.#n, this.#prev] = [n, null];
    return next;
  }

  dropped(packets: number): void {
    this.#drops += packets;
  }
}

async function start(h: Harness, host: string): Promise<number> {
  const gates = { bake_seconds: bakeSeconds, max_failed_percent: 0 };
  const answer = await h.call("POST", "/v1/rollouts", {
    body: { strategy: { kind: "all" }, gates, note: "test", hosts: [host] },
  });
  expect(answer.status).toBe(201);
  return (answer.json as { readonly id: number }).id;
}

const view = async (h: Harness, id: number): Promise<RolloutView> =>
  RolloutView.parse((await h.call("GET", `/v1/rollouts/${id}`)).json);

/** Counts of each host go on from test to test, as its own do. */
const chains = new Map<string, Chain>();
function chainOf(h: Harness, host: string): Chain {
  const key = `${h.admin} ${host}`;
  const known = chains.get(key) ?? new Chain(h, host);
  chains.set(key, known);
  return known;
}

async function minute(h: Harness): Promise<void> {
  h.advance(60_000);
  await maintain(h.ports);
}

function heartbeats(h: () => Harness): void {
  test("a host that a rollout decides on is asked for reports within the bake, and left alone before and after", async () => {
    const a = chainOf(h(), "a");
    expect(await a.report()).toBeNull();
    const id = await start(h(), "a");
    expect(await a.report()).toBe(heartbeatSeconds);
    for (let at = 0; at < 3; at += 1) {
      await minute(h());
      expect(await a.report()).toBe(heartbeatSeconds);
    }
    expect(await view(h(), id)).toMatchObject({ status: "running" });
    await minute(h());
    expect(await view(h(), id)).toMatchObject({ status: "completed" });
    expect(await a.report()).toBeNull();
  });

  test("a host that reports after its commit and then no more halts its wave, within the bake", async () => {
    const a = chainOf(h(), "a");
    const id = await start(h(), "a");
    await a.report();
    for (let at = 0; at < 4; at += 1) await minute(h());
    expect(await view(h(), id)).toMatchObject({ status: "running" });
    await minute(h());
    expect(await view(h(), id)).toMatchObject({
      status: "rolled_back",
      attention: [{ host: "a", detail: "not heard of any more since it committed" }],
    });
  });

  test("no bake is over by time alone: an agent that only reports every hour holds its wave until it does", async () => {
    const a = chainOf(h(), "a");
    const id = await start(h(), "a");
    const hourly = { prev: undefined };
    await a.report(hourly);
    for (let at = 0; at < 10; at += 1) await minute(h());
    expect(await view(h(), id)).toMatchObject({ status: "running" });
    await a.report(hourly);
    await minute(h());
    expect(await view(h(), id)).toMatchObject({ status: "completed" });
  });
}

function denied(h: () => Harness): void {
  /** Two reports a minute apart before the start, the commit, and the next heartbeat. */
  async function driven(before: number, after: number): Promise<RolloutView> {
    const b = chainOf(h(), "b");
    await b.report();
    h().advance(60_000);
    b.dropped(before * 60);
    await b.report();
    const id = await start(h(), "b");
    await b.report();
    h().advance(60_000);
    b.dropped(after * 60);
    await b.report();
    const found = await view(h(), id);
    await h().call("POST", `/v1/rollouts/${id}/rollback`, { body: { reason: "next test" } });
    return found;
  }

  test("drops ten times a host's own rate halt at the very report that says so", async () => {
    expect(await driven(20, 200)).toMatchObject({
      status: "rolled_back",
      attention: [{ host: "b", detail: "drops 200 packets a second, 20 before" }],
    });
  });

  test("a host that was as noisy before is no breach", async () => {
    expect(await driven(200, 200)).toMatchObject({ status: "running" });
  });
}

const suspected = async (h: Harness, host: string): Promise<boolean> => {
  const { json } = await h.call("GET", `/v1/hosts/${host}`);
  const { status } = json as {
    readonly status: { readonly warnings: readonly { readonly code: string }[] };
  };
  return status.warnings.some(({ code }) => code === "suspected_clone");
};

const suspicions = (h: Harness): Promise<number> =>
  h.count("SELECT count(*) AS n FROM audit WHERE action = 'host.suspect'");

function clones(h: () => Harness): void {
  test("reports that are lost, repeated or late, a lost count and a new key make no clone", async () => {
    const c = chainOf(h(), "c");
    await c.report();
    const lost = await c.next();
    const said = await c.next();
    await c.deliver(said);
    await c.deliver(said);
    await c.deliver(lost);
    await c.report();
    const anew = new Chain(h(), "c");
    await anew.report();
    await anew.report();
    await anew.report();
    // A database put back: what it has of this host is older than what the host has said.
    await h().ports.sql.prepare("DELETE FROM report WHERE host = 'c' AND n > 2").run();
    await anew.report();
    await anew.report();
    await enrolHost(h(), "c");
    await new Chain(h(), "c").report();
    expect([await suspected(h(), "c"), await suspicions(h())]).toEqual([false, 0]);
    chains.delete(`${h().admin} c`);
  });

  test.each([
    ["has reported", true],
    ["has not yet reported", false],
  ])(
    "two agents over one state that %s are told within two reports each, once, until a new key",
    async (_, has) => {
      await enrolHost(h(), "c");
      const before = await suspicions(h());
      const last = await h().count("SELECT coalesce(max(n), 0) AS n FROM report WHERE host = 'c'");
      const one = new Chain(h(), "c", last);
      if (has) await one.report();
      const other = one.copy();
      h().advance(1000);
      for (const agent of [one, other, one, other]) {
        await agent.report({ boot_id: agent === one ? "one" : "other" });
        h().advance(1000);
      }
      expect([await suspected(h(), "c"), await suspicions(h())]).toEqual([true, before + 1]);
      await enrolHost(h(), "c");
      expect(await suspected(h(), "c")).toBe(false);
    },
  );

  test("two agents within the bake halt at once; afterwards their host is passed by, and is served as before", async () => {
    const last = await h().count("SELECT max(n) AS n FROM report WHERE host = 'c'");
    const one = new Chain(h(), "c", last);
    const id = await start(h(), "c");
    await one.report();
    const other = one.copy();
    h().advance(1000);
    await one.report();
    await other.report({ boot_id: "other" });
    expect(await view(h(), id)).toMatchObject({
      status: "rolled_back",
      attention: [{ host: "c", detail: "two agents report under its key" }],
    });
    const next = await start(h(), "c");
    expect(await view(h(), next)).toMatchObject({
      attention: [{ host: "c", standing: "skipped", detail: "two agents report under its key" }],
    });
    const { json } = await h().call("GET", "/v1/hosts/c/status");
    expect(json).toMatchObject({
      revoked_at: null,
      published: { seq: expect.any(Number) as unknown },
    });
  });
}

/** What the rows of one host in a rollout are. */
async function hostIn(h: Harness, id: number, host: string): Promise<RolloutHost> {
  const { json } = await h.call("GET", `/v1/rollouts/${id}/hosts`);
  const { items } = z.object({ items: z.array(RolloutHost) }).parse(json);
  const found = items.find((item) => item.host === host);
  if (found === undefined) throw new Error(`${host} is not in rollout ${id}`);
  return found;
}

function apart(h: () => Harness): void {
  test("a host in hold since before waits apart, and goes on with its own next commit", async () => {
    const c = chainOf(h(), "c");
    const before = await c.next();
    await c.deliver(before);
    const ill = {
      state: "hold",
      applied: before.applied,
      reverted_seq: before.seen.targets,
    } as const;
    await c.report(ill);
    const id = await start(h(), "c");
    expect((await view(h(), id)).status).toBe("running");
    await c.report(ill);
    await minute(h());
    expect(await hostIn(h(), id, "c")).toMatchObject({
      standing: "apart",
      detail: "in hold since before its assignment",
      reported: { state: "hold", applied_seq: before.applied?.seq },
    });
    expect(await view(h(), id)).toMatchObject({
      status: "paused",
      waves: [{ tally: { apart: 1 } }],
    });
    const filtered = await h().call("GET", `/v1/rollouts/${id}/hosts?standing=apart`);
    expect(filtered.json).toMatchObject({ items: [{ host: "c" }] });
    await c.report({ reverted_seq: null });
    await minute(h());
    expect(await hostIn(h(), id, "c")).toMatchObject({ standing: "committed" });
  });

  test("a host that is adopting is told in the plan, shown the revision, and ends no wave", async () => {
    const b = chainOf(h(), "b");
    const adopting = { state: "adopting", applied: null, reverted_seq: null } as const;
    await b.report(adopting);
    const id = await start(h(), "b");
    await b.report(adopting);
    await minute(h());
    expect(await hostIn(h(), id, "b")).toMatchObject({
      standing: "shown",
      reported: { state: "adopting", applied_seq: null },
    });
    for (let at = 0; at < 5; at += 1) await minute(h());
    expect(await view(h(), id)).toMatchObject({ status: "completed" });
  });

  test("what a host said of a rollback stands beside what it was told", async () => {
    const a = chainOf(h(), "a");
    const before = await a.next();
    await a.deliver(before);
    const id = await start(h(), "a");
    const tried = (await hostIn(h(), id, "a")).seq;
    await a.report({ state: "reverted", applied: before.applied, reverted_seq: tried });
    await minute(h());
    expect((await view(h(), id)).status).toBe("rolled_back");
    await a.report({
      applied: before.applied,
      refusal: {
        code: "guard_refused",
        message: "no",
        at: new Date(h().ports.clock.now()).toISOString(),
      },
    });
    expect(await hostIn(h(), id, "a")).toMatchObject({
      standing: "reverted",
      reported: { applied_seq: before.applied?.seq, refusal: "guard_refused" },
    });
  });
}
