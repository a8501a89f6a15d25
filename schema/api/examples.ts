/** Examples of what the API says, by the names of schema/api/components.ts; one small fleet, told throughout. */
import type * as z from "zod";
import type { ComponentName, components } from "./components.ts";

type Examples = { readonly [N in ComponentName]?: z.input<(typeof components)[N]> };

const at = "2026-11-03T09:30:00.000Z";
const sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const keyid = "4a3f1c9d2e8b7a6f5d4c3b2a1908f7e6d5c4b3a291807f6e5d4c3b2a19080706";

const host = {
  addresses: ["192.0.2.10", "2001:db8::10"],
  roles: ["reverse_proxy"],
  labels: { env: "prod" },
};
const zone = { cidrs: ["192.0.2.0/24", "2001:db8::/64"] };
const service = {
  ingress: [{ from: "lan", port: 443, proto: "tcp" as const, reason: "the shop" }],
};
const overlay = {
  host: "gw",
  interfaces: ["tun0"],
  subnets: ["10.8.0.0/24"],
  policy: "group-based" as const,
  groups: ["dev", "ops"],
};
const member = { group: "dev", addresses: ["10.8.0.10"] };

const row = {
  key: "web1",
  revision: 7,
  at,
  by: "token:ci",
  on_behalf_of: "carol@example.com",
  source: "catalog",
};
const item = <K extends string, B>(kind: K, key: string, body: B) => ({ ...row, kind, key, body });

const change = { op: "put" as const, kind: "zone" as const, key: "lan", body: zone };
const commit = {
  message: "open the shop",
  source: "catalog",
  release: "staged" as const,
  changes: [change],
};
const withheld = {
  staged: ["web1"],
  pinned: [],
  waiting: [],
};
const rowChange = {
  op: "create" as const,
  kind: "zone" as const,
  key: "lan",
  before: null,
  after: zone,
  source_before: null,
};
const hostPlan = {
  host: "web1",
  before: { bundle_sha256: sha256, rules: 1, elements: 0 },
  after: { bundle_sha256: sha256, rules: 2, elements: 2 },
  scopes: { added: [], removed: [] },
  opens: [
    {
      scope: "host",
      direction: "in" as const,
      what: "tcp 443",
      from: { name: "zone lan", addresses: ["192.0.2.0/24", "2001:db8::/64"], more: false },
      to: { name: "any", addresses: [], more: false },
      until: null,
      row: "services/shop#1f0c9d2e8b7a",
    },
  ],
  closes: [],
  more: false,
  rules: { added: ["in: accept tcp 443 from lan, by services/shop#1f0c9d2e8b7a"], removed: [] },
  sets: [
    {
      name: "n_zone_lan",
      added: ["192.0.2.0/24", "2001:db8::/64"],
      removed: [],
      added_count: 2,
      removed_count: 0,
    },
  ],
  other: [],
};
const warning = {
  severity: "warning" as const,
  code: "empty_source" as const,
  path: "/services/shop/ingress/0/from",
  message: "zone lan has no network: this matches nothing",
};

const summary = {
  state: "steady" as const,
  published: { seq: 4, revision: 7 },
  applied: { seq: 4, revision: 7 },
  contact: "polling" as const,
  last_poll_at: at,
  last_report_at: at,
  lease_expires_at: "2026-11-10T09:30:00.000Z",
  held_lease_expires_at: at,
  warnings: [],
};

const gates = {
  bake_seconds: 600,
  timeout_seconds: 900,
  min_committed_percent: 95,
  max_failed_percent: 2,
  max_unknown_percent: 5,
  deny_ratio: 3,
  auto_rollback: true,
};
const strategy = { kind: "canary" as const, percentages: [5, 25, 50, 100] };

const token = {
  id: "a1b2c3d4e5f60718",
  parent: null,
  name: "ci",
  scopes: ["intent:read" as const, "intent:write" as const],
  created_at: at,
  created_by: "admin",
  expires_at: null,
  revoked_at: null,
};

const pending = {
  host: "web1",
  seq: 5,
  revision: 8,
  bundle_sha256: sha256,
  expires_at: "2027-02-01T00:00:00.000Z",
  at,
  signed_by: [keyid],
  threshold: 2,
};

const revision = {
  revision: 7,
  parent: 6,
  at,
  author: "token:ci",
  on_behalf_of: "carol@example.com",
  source: "catalog",
  message: "open the shop",
};

export const examples: Examples = {
  Host: host,
  Zone: zone,
  Service: service,
  Overlay: overlay,
  Member: member,
  HostRow: item("host", "web1", host),
  ZoneRow: item("zone", "lan", zone),
  ServiceRow: item("service", "shop", service),
  OverlayRow: item("overlay", "office", overlay),
  MemberRow: item("member", "office/carol", member),
  RowsPage: {
    revision: 7,
    rows: [
      {
        kind: "zone",
        key: "lan",
        body: zone,
        source: "catalog",
        from_revision: 7,
        updated_at: at,
        updated_by: "token:ci",
        on_behalf_of: null,
      },
    ],
    next_cursor: null,
  },
  Change: change,
  Commit: { parent: 6, ...commit },
  PlanRequest: { parent: 6, source: "catalog", release: "now", changes: [change] },
  Plan: {
    revision: 6,
    changes: [rowChange],
    hosts: [hostPlan],
    staged: [],
    pinned: [],
    waiting: [],
    behind: [{ revisions: [5], hosts: ["db1"] }],
    names: {},
    warnings: [],
  },
  RowChange: rowChange,
  HostPlan: hostPlan,
  Committed: {
    revision: 7,
    changed: true,
    rows: [{ op: "created", kind: "zone", key: "lan", revision: 7 }],
    hosts: [],
    ...withheld,
    warnings: [],
  },
  Warning: warning,
  RevisionItem: revision,
  RevisionDetail: {
    ...revision,
    changes: [{ kind: "zone", key: "lan", before: null, after: zone }],
  },
  HostItem: { ...item("host", "web1", host), status: summary },
  StatusSummary: summary,
  HostStatus: {
    host: "web1",
    current: true,
    published: {
      seq: 4,
      revision: 7,
      bundle_sha256: sha256,
      lease_issued_at: at,
      lease_expires_at: "2026-11-10T09:30:00.000Z",
    },
    enrolled_at: at,
    revoked_at: null,
    report: null,
  },
  Run: {
    from: at,
    to: null,
    state: "steady",
    seq: 4,
    revision: 7,
    bundle_sha256: sha256,
    program_sha256: sha256,
    guard_sha256: sha256,
  },
  PinRequest: { reason: "its disk is being replaced" },
  Pinned: { host: "web1", pinned: true },
  RolloutRequest: { strategy, note: "open the shop" },
  RolloutActionRequest: { reason: "web1 drops more than before" },
  RolloutView: {
    id: 3,
    revision: 7,
    status: "running",
    reason: "",
    emergency: false,
    strategy,
    gates,
    phase: "widen",
    wave: 1,
    waves_sha256: sha256,
    waves: [{ phase: "widen", n: 1, hosts: 1, tally: { assigned: 1 }, started_at: at }],
    bakes_until: null,
    created_at: at,
    created_by: "token:ci",
    on_behalf_of: null,
    note: "open the shop",
    approved_by: [],
    superseded_by: null,
    attention: [],
  },
  RolloutHost: {
    host: "web1",
    phase: "widen",
    wave: 1,
    standing: "committed",
    seq: 5,
    detail: "",
    reported: null,
  },
  EnrolmentRequest: { host: "web1", ttl_seconds: 900 },
  Enrolment: {
    id: "0011223344556677",
    host: "web1",
    token: "pce_shown-once",
    expires_at: at,
    root_version: 1,
    root_sha256: sha256,
  },
  Invitation: {
    id: "0011223344556677",
    host: "web1",
    created_at: at,
    created_by: "token:ci",
    expires_at: at,
  },
  RootRequest: { root: '{"signatures":[],"signed":{}}' },
  StoredRoot: { version: 2, sha256 },
  PendingItem: pending,
  CosignRequest: { seq: 5, signatures: [{ keyid, sig: "00".repeat(64) }] },
  CosignResponse: { ...pending, published: false },
  NewTokenRequest: { name: "ci", scopes: ["intent:read", "intent:write"], ttl_seconds: 7_776_000 },
  TokenItem: token,
  Whoami: {
    name: "token:ci",
    token: "a1b2c3d4e5f60718",
    scopes: ["intent:read", "intent:write"],
    expires_at: null,
  },
  NewToken: { ...token, token: "pc_a1b2c3d4e5f60718_shown-once" },
  AuditItem: {
    seq: 12,
    at,
    actor: "token:ci",
    on_behalf_of: null,
    action: "intent.commit",
    revision: 7,
    body: { changes: 1 },
    prev: sha256,
    hash: sha256,
    request_id: "0b6f7c3e-6d0e-4f5c-9f5a-2f1d0c9b8a77",
    source: "192.0.2.7",
  },
  AuditVerified: { ok: true, seq: 12, hash: sha256, message: null, unproven: 0, next_cursor: null },
  Health: { status: "ok", head: 7, fleet: "example" },
  EnrolResponse: { host: "web1", fleet: "example" },
  HostToken: { access_token: "shown-once", token_type: "Bearer", expires_in: 86_400 },
  ReportResponse: { n: 4 },
  Confirmation: { nonce: "0b6d5e3a-6f2f-4c57-9f0c-2a2f5b7c9d10" },
  Problem: {
    type: "urn:portcullis:problem:invalid_intent",
    title: "The intent is not valid, nothing was written",
    status: 422,
    code: "invalid_intent",
    request_id: "0b6d5e3a-6f2f-4c57-9f0c-2a2f5b7c9d10",
    errors: [
      {
        path: "/changes/0/body/cidrs/0",
        code: "schema",
        message: "expected a network without host bits",
      },
    ],
  },
  Finding: {
    path: "/changes/0/body/cidrs/0",
    code: "schema",
    message: "expected a network without host bits",
  },
};
