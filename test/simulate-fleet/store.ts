/**
 * The real control plane under simulated agents: the standalone database, its app by its HTTP routes, real signatures,
 * and the minute's maintenance on a clock that the simulation moves. Everything that reaches the store is counted.
 * Hosts have their keys from the start: how they enrol is not what is simulated.
 */
import { insertKeys, invitationOf } from "#test/support/fleet-keys.ts";
import { createHash } from "node:crypto";
import { openHostCredentials } from "#worker/hosts/credential.ts";
import { type App, createApp } from "#worker/app.ts";
import { openFleet } from "#worker/hosts/fleet.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import type { RolloutState } from "#core/rollout/index.ts";
import { Targets, envelope } from "#schema/tuf.ts";
import { headers, Report as WireReport, ReportResponse, Update } from "#schema/wire.ts";
import { readChangesSince } from "#worker/hosts/change-rows.ts";
import { storeReport } from "#worker/reports/rows.ts";
import { findRollout } from "#worker/rollouts/rows.ts";
import { commit } from "#worker/commits/commit.ts";
import { type Meter, openMeter, type Reading, since } from "#test/support/meter.ts";
import { installRoot, openPlane, type Plane as Whole } from "#test/support/plane.ts";
import * as z from "zod";
import type { Published, Report } from "./agent.ts";
import type { Fleet, Plane, Sent } from "./plane.ts";
import { speakerOf } from "#test/support/speaker.ts";

export interface StorePlane extends Plane {
  /** Hosts that ever polled do so until they have everything, and then twice more. */
  readonly pollUnchanged: () => Promise<Unchanged>;
  readonly close: () => Promise<void>;
}

export interface Unchanged {
  readonly polls: number;
  /** Statements that the last two rounds of polls sent to the store, and those that asked for the fleet's news. */
  readonly statements: number;
  readonly refreshes: number;
  /** Polls of these two rounds that were answered otherwise than 304. */
  readonly changed: number;
  /** Hosts whose one agent was taken for two. */
  readonly clones: number;
}

/** What a host keeps of its polls. */
interface Polled extends Published {
  readonly sha256: string;
  readonly revision: number;
  readonly tag: string;
  readonly generation: string;
}

export async function openStore(fleet: Fleet): Promise<StorePlane> {
  const plane = await openPlane({ now: Math.max(...fleet.lastReportAt.values()) });
  const meter = openMeter(plane.ports.sql);
  const store = new Store(plane, meter, await declare(plane, fleet));
  try {
    await store.start(fleet);
  } catch (error) {
    await plane.close();
    throw error;
  }
  return store;
}

interface Known {
  readonly token: string;
  /** Digest of what it is served before the rollout. */
  readonly old: string;
  /** Digest of its last report, as it left. */
  last: string;
}

/** The fleet in intent, each host with a key and its last report, and a revision that opens a port on each, staged. */
async function declare(plane: Whole, fleet: Fleet): Promise<ReadonlyMap<string, Known>> {
  const { sql } = plane.ports;
  await plane.commit(
    ...fleet.hosts.map(({ host, roles, labels }) => ({
      op: "put" as const,
      kind: "host" as const,
      key: host,
      body: { addresses: [], roles: [...roles], labels: { ...labels } },
    })),
  );
  await installRoot(plane);
  await sql.batch([
    ...insertKeys(
      sql,
      fleet.hosts.map(({ host }) => host),
    ),
  ]);
  const credentials = openHostCredentials(plane.ports, openFleet(plane.ports));
  const { results } = await sql
    .prepare("SELECT host, bundle_sha256 AS old FROM repository")
    .all<{ readonly host: string; readonly old: string }>();
  const known = new Map<string, Known>();
  for (const { host, old } of results) {
    const [lastReportAt = 0, token] = [
      fleet.lastReportAt.get(host),
      await credentials.mint(host, invitationOf(host), 0),
    ];
    const report = wireReport(first, old, null, lastReportAt);
    const last = digest(JSON.stringify(report));
    await storeReport(sql, await speakerOf(sql, host), report, lastReportAt, last);
    known.set(host, { token, old, last });
  }
  return known;
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

const first = { n: 1, state: "steady", seenSeq: 1, applied: { seq: 1, content: "old" } } as const;

/** @param prev digest of the one before it, as it was sent; null for the first */
const wireReport = (
  { n, state, seenSeq, applied }: Pick<Report, "n" | "state" | "seenSeq" | "applied">,
  old: string,
  prev: string | null,
  at: number,
): WireReport => {
  const held: Pick<Polled, "revision" | "sha256"> = isPolled(applied)
    ? applied
    : { revision: 1, sha256: old };
  const { revision, sha256 } = held;
  return WireReport.parse({
    n,
    prev,
    at: new Date(at).toISOString(),
    boot_id: "boot",
    agent_version: "0",
    renderer: "simulated",
    state,
    applied: { seq: applied.seq, revision, bundle_sha256: sha256, program_sha256: sha256 },
    seen: { root: 1, timestamp: 1, targets: seenSeq },
    guard_sha256: null,
    refusal: null,
    counters: [],
  });
};

const isPolled = (published: Published): published is Polled => "sha256" in published;

const pollPath = "/v1/agent/update";
const generationHeader = headers.generation.toLowerCase();
const json = { "content-type": "application/json" };
const Started = z.object({ id: z.int() });
const signedTargets = envelope(Targets);

class Store implements StorePlane {
  readonly #plane: Whole;
  readonly #meter: Meter;
  readonly #app: App;
  readonly #hosts: ReadonlyMap<string, Known>;
  readonly #polled = new Map<string, Polled>();
  /** What transitions cost, and minutes and reports that led to none. */
  readonly #moving: Reading[] = [];
  readonly #still: Reading[] = [];
  readonly #heard: Reading[] = [];
  #rollout = 0;
  #head = 0;
  #state: RolloutState | undefined;

  constructor(plane: Whole, meter: Meter, hosts: ReadonlyMap<string, Known>) {
    this.#plane = plane;
    this.#meter = meter;
    this.#hosts = hosts;
    this.#app = createApp({ ...plane.ports, sql: meter.sql });
  }

  async start({ hosts, strategy, gates }: Fleet): Promise<void> {
    const roles = [...new Set(hosts.flatMap((host) => host.roles))];
    const body = {
      ingress: [{ from: "any", port: 8443, proto: "tcp" as const }],
      to: roles.map((role) => `role:${role}`),
    };
    const staged = await commit(this.#plane.ports, "test", {
      message: "simulated",
      source: "api",
      release: "staged",
      changes: [{ op: "put", kind: "service", key: "opened", body }],
    });
    if (!staged.ok) throw new Error(`the commit was refused: ${JSON.stringify(staged)}`);
    const response = await this.#plane.operator("POST", "/v1/rollouts", {
      strategy,
      gates,
      note: "simulated",
    });
    if (response.status !== 201) throw new Error(`no rollout: ${await response.text()}`);
    this.#rollout = Started.parse(await response.json()).id;
    await this.#look();
  }

  state(): RolloutState {
    if (this.#state === undefined) throw new Error("the rollout was not started");
    return this.#state;
  }

  async published(host: string, now: number): Promise<Published> {
    this.#moveTo(now);
    await this.#poll(host);
    return this.#polled.get(host) ?? { seq: 1, content: "old" };
  }

  leave(report: Report, now: number): Sent {
    const known = this.#known(report.host);
    const body = JSON.stringify(wireReport(report, known.old, known.last, now));
    known.last = digest(body);
    return { report, body };
  }

  async hear(sent: readonly Sent[], now: number): Promise<readonly (number | null)[]> {
    this.#moveTo(now);
    const answers: (number | null)[] = [];
    for (const { report, body } of sent) {
      const { token } = this.#known(report.host);
      const response = await this.#costed(
        () => this.#send("POST", "/v1/agent/report", token, json, body),
        this.#heard,
      );
      if (response.status !== 200) throw new Error(`a report was answered ${response.status}`);
      answers.push(ReportResponse.parse(await response.json()).next_s ?? null);
    }
    return answers;
  }

  async tick(now: number): Promise<void> {
    this.#moveTo(now);
    await this.#costed(() => maintain({ ...this.#plane.ports, sql: this.#meter.sql }), this.#still);
  }

  cost(): readonly string[] {
    return [
      `${this.#moving.length} calls that moved it: rows ${spread(this.#moving)} each`,
      `${this.#still.length} minutes that did not: rows ${spread(this.#still)} each`,
      `${this.#heard.length} reports that did not: rows ${spread(this.#heard)} each`,
    ];
  }

  async pollUnchanged(): Promise<Unchanged> {
    const hosts = [...this.#polled.keys()];
    for (const host of hosts) while ((await this.#poll(host)) !== 304);
    const texts = new Set<string>();
    const probe = openMeter(this.#plane.ports.sql);
    await readChangesSince(probe.sql, 0);
    for (const text of probe.texts().keys()) texts.add(text);
    const before = this.#meter.texts();
    let changed = 0;
    for (let slice = 0; slice < 2 * slices; slice += 1) {
      this.#plane.advance(sliceMs);
      for (let i = slice % slices; i < hosts.length; i += slices)
        if ((await this.#poll(hosts[i] ?? "")) !== 304) changed += 1;
    }
    let [statements, refreshes] = [0, 0];
    for (const [text, count] of this.#meter.texts()) {
      const fresh = count - (before.get(text) ?? 0);
      if (texts.has(text)) refreshes += fresh / texts.size;
      else statements += fresh;
    }
    const suspected = "SELECT count(*) AS n FROM identity WHERE suspected_at IS NOT NULL";
    const clones =
      (await this.#plane.ports.sql.prepare(suspected).first<number>("n")) ?? Number.NaN;
    return { polls: 2 * hosts.length, statements, refreshes, changed, clones };
  }

  close(): Promise<void> {
    return this.#plane.close();
  }

  #known(host: string): Known {
    const known = this.#hosts.get(host);
    if (known === undefined) throw new Error(`no host ${host}`);
    return known;
  }

  #moveTo(now: number): void {
    this.#plane.advance(now - this.#plane.ports.clock.now());
  }

  /** @returns the answer's status */
  async #poll(host: string): Promise<number> {
    const { token, old } = this.#known(host);
    const known = this.#polled.get(host);
    const sent =
      known === undefined
        ? {}
        : { "if-none-match": known.tag, [generationHeader]: known.generation };
    // First as the standalone server asks: most polls end there.
    const authorization = `Bearer ${token}`;
    const unchanged = await this.#app.unchanged("GET", pollPath, { ...sent, authorization });
    if (unchanged !== undefined && known !== undefined) {
      this.#polled.set(host, { ...known, generation: unchanged[headers.generation] ?? "" });
      return 304;
    }
    const response = await this.#send("GET", pollPath, token, sent);
    const { status } = response;
    const generation = response.headers.get(headers.generation) ?? "";
    if (status === 304) {
      if (known !== undefined) this.#polled.set(host, { ...known, generation });
      return status;
    }
    if (status !== 200) throw new Error(`a poll was answered ${status}: ${await response.text()}`);
    const { targets } = Update.parse(await response.json());
    const { signed } = signedTargets.parse(JSON.parse(Buffer.from(targets, "base64").toString()));
    const [bundle] = Object.values(signed.targets);
    if (bundle === undefined) throw new Error("a repository without a bundle");
    const { sha256 } = bundle.hashes;
    this.#polled.set(host, {
      seq: signed.version,
      content: sha256 === old ? "old" : "new",
      sha256,
      revision: bundle.custom.revision,
      tag: response.headers.get("etag") ?? "",
      generation,
    });
    return status;
  }

  async #send(
    method: "GET" | "POST",
    path: string,
    token: string,
    sent: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<Response> {
    return this.#app.fetch(
      new Request(`http://plane${path}`, {
        method,
        headers: { ...sent, authorization: `Bearer ${token}` },
        ...(body === undefined ? {} : { body }),
      }),
    );
  }

  /** Books what a call costs as a transition's when it made one, and otherwise to `idle`. */
  async #costed<T>(call: () => Promise<T>, idle: Reading[] = []): Promise<T> {
    const before = this.#meter.reading();
    const result = await call();
    const cost = since(this.#meter.reading(), before);
    ((await this.#look()) ? this.#moving : idle).push(cost);
    return result;
  }

  /** @returns whether the rollout moved since the last look; does not count as the store's own reading */
  async #look(): Promise<boolean> {
    const { sql } = this.#plane.ports;
    const head = (await sql.prepare("SELECT max(seq) AS n FROM audit").first<number>("n")) ?? 0;
    if (head === this.#head) return false;
    this.#head = head;
    this.#state = (await findRollout(sql, this.#rollout))?.state;
    return true;
  }
}

/** Polls of a round are spread over this many slices of time, as those of a fleet are. */
const slices = 6;
const sliceMs = 5000;

function spread(readings: readonly Reading[]): string {
  const of = (key: "read" | "written"): string => {
    const values = readings.map((reading) => reading[key]);
    const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
    return `${mean.toFixed(0)} (${Math.max(0, ...values)} at most)`;
  };
  return `${of("read")} given, ${of("written")} written`;
}
