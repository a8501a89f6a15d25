/** Hosts as declared, and their status as published and reported. */
import { Hono } from "hono";
import type { HostStatus } from "#schema/api/hosts.ts";
import type { Ports } from "#worker/ports/index.ts";
import { answerProblem } from "#worker/http/problem.ts";
import { notDeclared } from "#worker/lib/refused.ts";
import { type DatedRow, findRow, listRows, rowView } from "#worker/intent/index.ts";
import {
  type HostStatus as StoredStatus,
  readHostStatus,
  readHostStatuses,
  type Sightings,
} from "#worker/hosts/index.ts";
import { type Counted, countedBy } from "./counted.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { addWrites, rowTag } from "#worker/commits/index.ts";
import { makeHostStatusView } from "./view.ts";
import { iso, makePage } from "#worker/http/views.ts";

export function routeHosts(ports: Ports, sightings: Sightings): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  addHostReads(api, ports, sightings);
  addWrites(api, ports, "hosts");
  serveRoute(api, "GET /v1/hosts/:host/status", async (c, { params }) => {
    const { host } = params;
    if ((await findRow(ports.sql, "host", host)) === undefined)
      return answerProblem(c, "not_found", notDeclared);
    const stored = await readHostStatus(ports.sql, host);
    return c.json(makeStatusView(host, stored, await countedBy(ports, stored)));
  });
  return api;
}

function addHostReads(api: Hono<AppEnv>, ports: Ports, sightings: Sightings): void {
  serveRoute(api, "GET /v1/hosts", async (c, { query }) => {
    const { limit, cursor = "" } = query;
    const rows = await listRows(ports.sql, { kind: "host", prefix: "", after: cursor, limit });
    const views = await readHostViews(ports, sightings, rows);
    return c.json(
      makePage(
        views,
        limit,
        (view) => view,
        (view) => view.key,
      ),
    );
  });
  serveRoute(api, "GET /v1/hosts/:host", async (c, { params }) => {
    const row = await findRow(ports.sql, "host", params.host);
    if (row === undefined) return answerProblem(c, "not_found", notDeclared);
    c.header("ETag", rowTag(row.from_revision));
    return c.json((await readHostViews(ports, sightings, [row]))[0]);
  });
}

async function readHostViews(ports: Ports, sightings: Sightings, rows: readonly DatedRow[]) {
  const names = rows.map(({ key }) => key);
  const [standings, seen] = await Promise.all([
    readHostStatuses(ports.sql, names),
    sightings.lastOf(names),
  ]);
  const { pollSeconds } = ports.settings;
  const now = ports.clock.now();
  return rows.map((row) => ({
    ...rowView(row),
    status: makeHostStatusView(standings.get(row.key), seen.get(row.key), { pollSeconds, now }),
  }));
}

function makeStatusView(
  host: string,
  { served, identity, report }: StoredStatus,
  counted: Counted,
): HostStatus {
  const applied = report?.body.applied ?? null;
  return {
    host,
    current: served !== undefined && applied?.bundle_sha256 === served.bundle_sha256,
    published:
      served === undefined
        ? null
        : {
            ...served,
            lease_issued_at: iso(served.lease_issued_at),
            lease_expires_at: iso(served.lease_expires_at),
          },
    enrolled_at: isoOrNull(identity?.enrolled_at),
    revoked_at: isoOrNull(identity?.revoked_at),
    report: report === undefined ? null : { ...reportView(report), counted },
  };
}

function reportView({ received_at, body }: NonNullable<StoredStatus["report"]>) {
  const { state, applied, refusal, listening, agent_version, renderer } = body;
  return {
    received_at: iso(received_at),
    state,
    applied_seq: applied?.seq ?? null,
    applied_revision: applied?.revision ?? null,
    applied_bundle_sha256: applied?.bundle_sha256 ?? null,
    refusal: refusal === null ? null : { code: refusal.code, at: refusal.at },
    listening,
    agent_version,
    renderer,
  };
}

const isoOrNull = (milliseconds: number | null | undefined): string | null =>
  milliseconds === null || milliseconds === undefined ? null : iso(milliseconds);
