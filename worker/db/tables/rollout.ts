/** The tables of rollouts and of what hosts ran, as drizzle sees them; worker/db/tables/index.ts says how they relate to the SQL. */
import { integer, primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const withheld = sqliteTable(
  "withheld",
  { host: text().notNull(), revision: integer().notNull(), level: text().notNull() },
  (table) => [primaryKey({ columns: [table.host, table.revision] })],
);

export const pin = sqliteTable("pin", {
  host: text().primaryKey(),
  at: integer().notNull(),
  by: text().notNull(),
  reason: text().notNull(),
});

export const rollout = sqliteTable("rollout", {
  id: integer().primaryKey(),
  revision: integer().notNull(),
  at: integer().notNull(),
  by: text().notNull(),
  on_behalf_of: text(),
  note: text().notNull(),
  strategy: text().notNull(),
  gates: text().notNull(),
  emergency: integer().notNull(),
  waves_sha256: text().notNull(),
  status: text().notNull(),
  reason: text().notNull(),
  phase: text().notNull(),
  wave: integer().notNull(),
  wave_started_at: integer(),
  superseded_by: integer(),
  paused_by: text(),
});

export const rolloutHost = sqliteTable(
  "rollout_host",
  {
    rollout: integer().notNull(),
    phase: text().notNull(),
    host: text().notNull(),
    wave: integer().notNull(),
    standing: text().notNull(),
    seq: integer(),
    assigned_at: integer(),
    settled_at: integer(),
    heard_at: integer(),
    baseline: real(),
    detail: text().notNull(),
    affirmed_at: integer(),
    aside: text(),
    state_before: text(),
  },
  (table) => [primaryKey({ columns: [table.rollout, table.phase, table.host] })],
);

export const rolloutDueCheck = sqliteTable("rollout_look", {
  rollout: integer().primaryKey(),
  audit: integer().notNull(),
  looked_at: integer().notNull(),
  quiet_until: integer().notNull(),
});

export const approval = sqliteTable(
  "approval",
  { rollout: integer().notNull(), principal: text().notNull(), at: integer().notNull() },
  (table) => [primaryKey({ columns: [table.rollout, table.principal] })],
);

export const run = sqliteTable(
  "run",
  {
    host: text().notNull(),
    from_at: integer().notNull(),
    to_at: integer(),
    state: text().notNull(),
    seq: integer(),
    revision: integer(),
    bundle_sha256: text(),
    program_sha256: text(),
    guard_sha256: text(),
    report: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.host, table.from_at, table.report] })],
);
