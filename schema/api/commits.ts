/** Plans and commits of intent, and the revisions they become. */
import * as z from "zod";
import { Count, list, Ordinal, Revision, makeTable, Time } from "../primitives.ts";
import { many, Sentence, Warning, Word } from "./common.ts";
import { Change, Commit } from "../intent.ts";
import { Direction } from "../ruleset.ts";
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

/** One end of flows. `name` is what stands for all of them, such as `zone lan` or `any`, or null for a part of it. */
const Peers = z.object({
  name: Word.nullable(),
  /** The first twenty addresses and networks; none for `any`. */
  addresses: Lines,
  more: z.boolean(),
});
export type PlanPeers = z.infer<typeof Peers>;

/** New flows that pass on one side of a change and not on the other. */
const Opening = z.object({
  /** `host`, or an overlay such as `overlay/office`. */
  scope: Word,
  direction: Direction,
  /** Such as `tcp 443,8000-8010`; `any` is every protocol. */
  what: Sentence,
  from: Peers,
  to: Peers,
  /** When it ends by itself; null: never. */
  until: Time.nullable(),
  /** The row that lets it in, or did. */
  row: Word,
});
export type PlanOpening = z.infer<typeof Opening>;

/**
 * `opens` and `closes` are about packets, the first hundred of each; both are empty for a host that goes, which closes.
 * `scopes`, `rules` and `other` are lines for people; `added` and `removed` of a set are the first twenty, the counts are
 * of all. Together they are empty exactly when the host's bundle stays the same.
 */
export const HostPlan = z.object({
  host: Word,
  before: Size.nullable(),
  after: Size.nullable(),
  opens: many(Opening),
  closes: many(Opening),
  /** Whether there is more to `opens` or `closes` than is said. */
  more: z.boolean(),
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
  /** Hosts that do not have all of intent as it is now, by the revisions that are withheld from them. */
  behind: many(z.object({ revisions: many(Revision), hosts: many(Word) })),
  /** Whose the addresses are that `opens`, `closes` and `sets` name, such as `host web1` or `member office/carol`. */
  names: makeTable(Word, Word, { max: 100_000 }),
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
