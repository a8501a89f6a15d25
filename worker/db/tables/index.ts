/**
 * The tables of schema/migrations as drizzle sees them, so that queries are typed by column.
 * The SQL is the truth: constraints, triggers and views live there, and a test compares every column with the migrated
 * database. Property names equal column names, so a raw row and a drizzle row have one shape.
 */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const fleet = sqliteTable("fleet", {
  id: integer().primaryKey(),
  head: integer().notNull(),
  generation: integer().notNull(),
});

export const revision = sqliteTable("revision", {
  n: integer().primaryKey(),
  parent: integer().notNull(),
  at: integer().notNull(),
  author: text().notNull(),
  on_behalf_of: text(),
  source: text().notNull(),
  message: text().notNull(),
});

export const intent = sqliteTable("intent", {
  id: integer().primaryKey(),
  kind: text().notNull(),
  key: text().notNull(),
  body: text().notNull(),
  from_revision: integer().notNull(),
  to_revision: integer(),
  by: text().notNull(),
  on_behalf_of: text(),
  source: text().notNull(),
});

export const audit = sqliteTable("audit", {
  seq: integer().primaryKey(),
  at: integer().notNull(),
  actor: text().notNull(),
  on_behalf_of: text(),
  action: text().notNull(),
  revision: integer(),
  body: text().notNull(),
  prev: text().notNull(),
  hash: text().notNull(),
  request_id: text(),
  source: text(),
});

export const repository = sqliteTable("repository", {
  host: text().primaryKey(),
  seq: integer().notNull(),
  revision: integer().notNull(),
  generation: integer().notNull(),
  bundle_sha256: text().notNull(),
  bundle_length: integer().notNull(),
  targets: text().notNull(),
  targets_expires_at: integer().notNull(),
  snapshot_version: integer().notNull(),
  snapshot: text().notNull(),
  snapshot_expires_at: integer().notNull(),
  timestamp_version: integer().notNull(),
  timestamp: text().notNull(),
  lease_issued_at: integer().notNull(),
  lease_expires_at: integer().notNull(),
});

export const publication = sqliteTable(
  "publication",
  {
    host: text().notNull(),
    seq: integer().notNull(),
    revision: integer().notNull(),
    bundle_sha256: text().notNull(),
    at: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.host, table.seq] })],
);

export const pending = sqliteTable("pending", {
  host: text().primaryKey(),
  seq: integer().notNull(),
  revision: integer().notNull(),
  bundle_sha256: text().notNull(),
  bundle_length: integer().notNull(),
  targets: text().notNull(),
  targets_expires_at: integer().notNull(),
  signatures: text().notNull(),
  at: integer().notNull(),
});

export const root = sqliteTable("root", {
  version: integer().primaryKey(),
  body: text().notNull(),
  sha256: text().notNull(),
  generation: integer().notNull(),
  at: integer().notNull(),
});

export const token = sqliteTable("token", {
  id: text().primaryKey(),
  name: text().notNull(),
  sha256: text().notNull(),
  scopes: text().notNull(),
  created_at: integer().notNull(),
  created_by: text().notNull(),
  expires_at: integer(),
  revoked_at: integer(),
  parent: text(),
  ancestor: text(),
});

export const enrolment = sqliteTable("enrolment", {
  id: text().primaryKey(),
  host: text().notNull(),
  sha256: text().notNull(),
  created_at: integer().notNull(),
  created_by: text().notNull(),
  expires_at: integer().notNull(),
  used_at: integer(),
  ended_at: integer(),
});

export const identity = sqliteTable("identity", {
  host: text().primaryKey(),
  public_key: text().notNull(),
  enrolled_at: integer().notNull(),
  enrolment: text().notNull(),
  generation: integer().notNull(),
  revoked_at: integer(),
  suspected_at: integer(),
});

export const assertion = sqliteTable("assertion", {
  jti: text().primaryKey(),
  host: text().notNull(),
  expires_at: integer().notNull(),
});

export const idempotency = sqliteTable(
  "idempotency",
  {
    principal: text().notNull(),
    key: text().notNull(),
    request_sha256: text().notNull(),
    status: integer().notNull(),
    response: text().notNull(),
    expires_at: integer().notNull(),
    kept: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.principal, table.key] })],
);

export const report = sqliteTable(
  "report",
  {
    host: text().notNull(),
    n: integer().notNull(),
    received_at: integer().notNull(),
    body: text().notNull(),
    sha256: text(),
    enrolment: text(),
    number: integer(),
  },
  (table) => [primaryKey({ columns: [table.host, table.n] })],
);

export const sighting = sqliteTable("sighting", {
  share: integer().primaryKey(),
  hosts: text().notNull(),
});

export const turn = sqliteTable("turn", {
  id: integer().primaryKey(),
  holder: text().notNull(),
  until: integer().notNull(),
});

export * from "./rollout.ts";
