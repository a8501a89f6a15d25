/** Plans and commits of intent, and the revisions they become. */
import * as z from "zod";
import { Change, Commit } from "../intent.ts";
import { Warning } from "./common.ts";
import { KindName, RowBody } from "./rows.ts";

/** `source` is read so that a plan and its commit can be the same body; it decides nothing here. */
export const PlanRequest = z.strictObject({
  parent: Commit.shape.parent,
  source: Commit.shape.source,
  allow_guard_refusals: Commit.shape.allow_guard_refusals,
  release: Commit.shape.release,
  changes: z.array(Change).max(10_000),
});

/** Hosts that do not get the revision now, by why: as asked, pinned, or because its rows need what they do not have. */
const Withheld = {
  staged: z.array(z.string()),
  pinned: z.array(z.string()),
  waiting: z.array(z.object({ host: z.string(), revision: z.int(), because: z.string() })),
};

const Size = z.object({ bundle_sha256: z.string(), rules: z.int(), elements: z.int() });
const Lines = z.array(z.string());

/**
 * `scopes`, `rules` and `other` are lines for people; `added` and `removed` of a set are the first twenty, the counts are
 * of all. Together they are empty exactly when the host's bundle stays the same.
 */
export const HostPlan = z.object({
  host: z.string(),
  before: Size.nullable(),
  after: Size.nullable(),
  scopes: z.object({ added: Lines, removed: Lines }),
  rules: z.object({ added: Lines, removed: Lines }),
  sets: z.array(
    z.object({
      name: z.string(),
      added: Lines,
      removed: Lines,
      added_count: z.int(),
      removed_count: z.int(),
    }),
  ),
  other: Lines,
});
export type HostPlan = z.infer<typeof HostPlan>;

export const RowChange = z.object({
  op: z.enum(["create", "update", "delete"]),
  kind: KindName,
  key: z.string(),
  before: RowBody.nullable(),
  after: RowBody.nullable(),
  source_before: z.string().nullable(),
});
export type RowChange = z.infer<typeof RowChange>;

/** What changes would mean; nothing of it is written. */
export const Plan = z.object({
  revision: z.int(),
  changes: z.array(RowChange),
  hosts: z.array(HostPlan),
  ...Withheld,
  warnings: z.array(Warning),
});
export type Plan = z.infer<typeof Plan>;

/** What a commit came to. */
export const Committed = z.object({
  revision: z.int(),
  changed: z.boolean(),
  rows: z.array(
    z.object({
      op: z.enum(["created", "updated", "deleted", "unchanged"]),
      kind: KindName,
      key: z.string(),
      revision: z.int(),
    }),
  ),
  hosts: z.array(z.object({ host: z.string(), seq: z.int(), bundle_sha256: z.string() })),
  ...Withheld,
  warnings: z.array(Warning),
});
export type Committed = z.infer<typeof Committed>;

export const RevisionItem = z.object({
  revision: z.int(),
  parent: z.int(),
  at: z.iso.datetime(),
  author: z.string(),
  on_behalf_of: z.string().nullable(),
  source: z.string(),
  message: z.string(),
});
export type RevisionItem = z.infer<typeof RevisionItem>;

/** `before` is null for a row that it created, `after` for one that it deleted. */
export const RevisionDetail = z.object({
  ...RevisionItem.shape,
  changes: z.array(
    z.object({ kind: KindName, key: z.string(), before: RowBody.nullable(), after: RowBody.nullable() }),
  ),
});
export type RevisionDetail = z.infer<typeof RevisionDetail>;
