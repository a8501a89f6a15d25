/** `GET /v1/metrics`: what an alarm needs, in Prometheus' text format. Counts and times, no names of hosts. */
import { Hono } from "hono";
import { StatusSummary } from "#schema/api/hosts.ts";
import { roles } from "#schema/tuf.ts";
import type { Ports } from "#worker/ports/index.ts";
import { readExpiries, readHostStatuses, type Sightings } from "#worker/hosts/index.ts";
import { listRows } from "#worker/intent/index.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { makeHostStatusView } from "./view.ts";

const media = "text/plain; version=0.0.4";

export function routeMetrics(ports: Ports, sightings: Sightings): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "GET /v1/metrics", async (c) => {
    const lines = [...(await listExpiryLines(ports)), ...(await listHostLines(ports, sightings))];
    return c.body(`${lines.join("\n")}\n`, 200, {
      "Content-Type": media,
      "Cache-Control": "no-store",
    });
  });
  return api;
}

function formatGauge(name: string, help: string, samples: readonly string[]): readonly string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...samples.map((sample) => `${name}${sample}`),
  ];
}

async function listExpiryLines(ports: Ports): Promise<readonly string[]> {
  const now = ports.clock.now();
  const { pending, ...soonest } = await readExpiries(ports.sql);
  const samples = roles.flatMap((role) => {
    const at = soonest[role];
    return at === null ? [] : [`{role="${role}"} ${Math.floor((at - now) / 1000)}`];
  });
  return [
    ...formatGauge(
      "portcullis_role_expiry_seconds",
      "Until the soonest end of a role's metadata.",
      samples,
    ),
    ...formatGauge(
      "portcullis_pending_targets",
      "Hosts whose targets wait for operators' signatures.",
      [` ${pending}`],
    ),
  ];
}

const pageSize = 1000;

async function listHostLines(ports: Ports, sightings: Sightings): Promise<readonly string[]> {
  const states = new Map(StatusSummary.shape.state.options.map((state) => [state, 0]));
  const warnings = new Map<string, number>();
  const now = ports.clock.now();
  for (let after: string | undefined = ""; after !== undefined;) {
    const rows = await listRows(ports.sql, { kind: "host", prefix: "", after, limit: pageSize });
    const keys = rows.map(({ key }) => key);
    const [standings, seen] = await Promise.all([
      readHostStatuses(ports.sql, keys),
      sightings.lastOf(keys),
    ]);
    for (const key of keys) {
      const view = makeHostStatusView(standings.get(key), seen.get(key), {
        pollSeconds: ports.settings.pollSeconds,
        now,
      });
      states.set(view.state, (states.get(view.state) ?? 0) + 1);
      for (const { code } of view.warnings) warnings.set(code, (warnings.get(code) ?? 0) + 1);
    }
    after = rows.length < pageSize ? undefined : keys.at(-1);
  }
  return [
    ...formatGauge(
      "portcullis_hosts",
      "Declared hosts by the state of their last report.",
      samplesOf("state", states),
    ),
    ...formatGauge(
      "portcullis_host_warnings",
      "Declared hosts by what to look at.",
      samplesOf("code", warnings),
    ),
  ];
}

const samplesOf = (label: string, counts: ReadonlyMap<string, number>): readonly string[] =>
  [...counts].map(([value, count]) => `{${label}="${value}"} ${count}`);
