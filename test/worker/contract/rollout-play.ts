/** The part of hosts in the contracts of rollouts: what they are served, what they would report, and how time passes. */
import { expect } from "vitest";
import type { Change } from "#schema/intent.ts";
import { RolloutView } from "#schema/rollout.ts";
import { type AgentState, Report } from "#schema/wire.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { takeReport } from "#worker/poll/report.ts";
import type { Harness } from "./harness.ts";
import { speakerOf } from "#test/support/speaker.ts";

export const webs = ["w1", "w2", "w3", "w4"] as const;

export const host = (key: string, role: string): Change => ({
  op: "put",
  kind: "host",
  key,
  body: { addresses: [], roles: [role], labels: {} },
});

export const grant = (key: string, to: string, ...ports: readonly number[]): Change => ({
  op: "put",
  kind: "service",
  key,
  body: { ingress: ports.map((port) => ({ from: "any", port, proto: "tcp" })), to: [to] },
});

export async function commit(
  h: Harness,
  changes: readonly Change[],
  release: "now" | "staged" = "now",
) {
  const result = await h.commit(changes, undefined, release);
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result;
}

interface Served {
  readonly seq: number;
  readonly revision: number;
  readonly bundle_sha256: string;
}

export async function served(h: Harness, key: string): Promise<Served> {
  const row = await h.ports.sql
    .prepare("SELECT seq, revision, bundle_sha256 FROM repository WHERE host = ?1")
    .bind(key)
    .first<Served>();
  if (row === null) throw new Error(`${key} is served nothing`);
  return row;
}

const counts = new Map<string, number>();

/** What the agent of a host would report now, as the report route takes it. */
export async function report(
  h: Harness,
  key: string,
  state: AgentState = "steady",
  took = true,
): Promise<Report> {
  const { seq, revision, bundle_sha256 } = await served(h, key);
  const n = (counts.get(key) ?? 0) + 1;
  counts.set(key, n);
  const said = Report.parse({
    n,
    at: new Date(h.ports.clock.now()).toISOString(),
    boot_id: "boot",
    agent_version: "0",
    renderer: "r",
    state,
    applied: { seq: took ? seq : seq - 1, revision, bundle_sha256, program_sha256: bundle_sha256 },
    seen: { root: 1, timestamp: 1, targets: seq },
    guard_sha256: null,
    refusal: null,
    counters: [],
  });
  await receive(h, key, said);
  return said;
}

export async function receive(h: Harness, key: string, said: Report): Promise<void> {
  await takeReport(h.ports, await speakerOf(h.ports.sql, key), said);
}

const strategy = { kind: "canary", percentages: [50, 100] };

export async function start(
  h: Harness,
  body: object = {},
): Promise<RolloutView & { readonly supersedes: number[] }> {
  const answer = await h.call("POST", "/v1/rollouts", {
    body: { strategy, gates: { bake_seconds: 0 }, note: "test", ...body },
  });
  expect(answer.status).toBe(201);
  return answer.json as RolloutView & { readonly supersedes: number[] };
}

export const view = async (h: Harness, id: number): Promise<RolloutView> =>
  RolloutView.parse((await h.call("GET", `/v1/rollouts/${id}`)).json);

/** Past the bake of four polls, in which every host that committed is heard of again. */
export async function bake(h: Harness): Promise<void> {
  await maintain(h.ports);
  h.advance(121_000);
  const { results } = await h.ports.sql
    .prepare(
      "SELECT DISTINCT e.host FROM rollout r JOIN rollout_host e ON e.rollout = r.id AND e.phase = r.phase WHERE e.standing = 'committed' AND r.status IN ('running', 'paused')",
    )
    .all<{ host: string }>();
  for (const { host: key } of results) await report(h, key);
  await maintain(h.ports);
}

export async function digests(
  h: Harness,
  keys: readonly string[] = webs,
): Promise<readonly string[]> {
  const all: string[] = [];
  for (const key of keys) all.push((await served(h, key)).bundle_sha256);
  return all;
}

export const level = (h: Harness, key: string) =>
  h.ports.sql
    .prepare("SELECT level FROM withheld WHERE host = ?1 ORDER BY revision DESC LIMIT 1")
    .bind(key)
    .first<string>("level");
