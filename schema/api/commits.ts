/** Plans and commits of intent, and the revisions they become. */
import * as z from "zod";
import { Count, list, Ordinal, Revision, Time } from "../primitives.ts";
import { many, Sentence, Warning, Word } from "./common.ts";
import { Change, Commit } from "../intent.ts";
import { KindName, RowBody } from "./rows.ts";

/** `source` is read so that a plan and its commit can be the same body; it decides nothing here. */
export const PlanRequest = z.strictObject({
  parent: Commit.shape.parent,
  source: Commit.shape.source,
  allow_guard_refusals: Commit.shape.allow_guard_refusals,
  release: Commit.shape.release,
  changes: list(Change, { max: 10_000 }),
});

/** Hosts that do not get the revision now, by why: as asked, pinned, or because its rows need what they do not have. */
const Withheld = {
  staged: many(Word),
  pinned: many(Word),
  waiting: many(z.object({ host: Word, revision: Revision, because: Sentence })),
};

const Size = z.object({ bundle_sha256: Word, rules: Count, elements: Count });
const Lines = many(Sentence);

/**
 * `scopes`, `rules` and `other` are lines for people; `added` and `removed` of a set are the first twenty, the counts are
 * of all. Together they are empty exactly when the host's bundle stays the same.
 */
export const HostPlan = z.object({
  host: Word,
  before: Size.nullable(),
  after: Size.nullable(),
  scopes: z.object({ added: Lines, removed: Lines }),
  rules: z.object({ added: Lines, removed: Lines }),
  sets: many(
    z.object({
      name: Word,
      added: Lines,
      removed: Lines,
      added_count: Count,
      removed_count: Count,
    }),
  ),
  other: Lines,
});
export type HostPlan = z.infer<typeof HostPlan>;

export const RowChange = z.object({
  op: z.enum(["create", "update", "delete"]),
  kind: KindName,
  key: Word,
  before: RowBody.nullable(),
  after: RowBody.nullable(),
  source_before: Word.nullable(),
});
export type RowChange = z.infer<typeof RowChange>;

/** What changes would mean; nothing of it is written. */
export const Plan = z.object({
  revision: Revision,
  changes: many(RowChange),
  hosts: many(HostPlan),
  ...Withheld,
  warnings: many(Warning),
});
export type Plan = z.infer<typeof Plan>;

/** What a commit came to. */
export const Committed = z.object({
  revision: Revision,
  changed: z.boolean(),
  rows: many(
    z.object({
      op: z.enum(["created", "updated", "deleted", "unchanged"]),
      kind: KindName,
      key: Word,
      revision: Revision,
    }),
  ),
  hosts: many(z.object({ host: Word, seq: Ordinal, bundle_sha256: Word })),
  ...Withheld,
  warnings: many(Warning),
});
export type Committed = z.infer<typeof Committed>;

export const RevisionItem = z.object({
  revision: Revision,
  parent: Revision,
  at: Time,
  author: Word,
  on_behalf_of: Sentence.nullable(),
  source: Word,
  message: Sentence,
});
export type RevisionItem = z.infer<typeof RevisionItem>;

/** `before` is null for a row that it created, `after` for one that it deleted. */
export const RevisionDetail = z.object({
  ...RevisionItem.shape,
  changes: many(
    z.object({ kind: KindName, key: Word, before: RowBody.nullable(), after: RowBody.nullable() }),
  ),
});
export type RevisionDetail = z.infer<typeof RevisionDetail>;
