/**
 * The audit chain, and the only way to write anything that an auditor asks about.
 *
 * `audited` runs one batch that ends in one audit row, so a mutation without its audit row cannot be built. The row
 * carries the hash of the row before, and a trigger refuses any other, so the chain is also one lock: everything an
 * attempt read after its head is still true when its batch commits, or the batch fails and the attempt runs again.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { asc, desc, eq, gt, lt } from "drizzle-orm";
import { formatCanonical } from "#schema/canonical.ts";
import type { RolloutAction } from "#schema/rollout.ts";
import { audit } from "./tables/index.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import type { Sql } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { db, findLostRace, toStatement } from "./drizzle.ts";
import { endTurn, isTurnOfAnother, takeTurn } from "./turn.ts";

export type AuditAction =
  | "commit"
  | "token.create"
  | "token.revoke"
  | "enrolment.create"
  | "enrolment.end"
  | "host.enrol"
  | "host.revoke"
  | "host.suspect"
  | "bundles.forget"
  | "root.put"
  | "targets.propose"
  | "targets.sign"
  | `rollout.${"start" | "advance" | "complete" | "supersede" | RolloutAction}`
  | "host.pin"
  | "host.unpin";

/** Who decided, and by which request from where; a name alone where no request is behind it, as in maintenance. */
export type Author = string | RequestAuthor;
export interface RequestAuthor {
  /** As authenticated. */
  readonly name: string;
  readonly request_id: string;
  /** Address that the request came from, as far as the adapter knows. */
  readonly source: string | null;
}

export const nameOf = (author: Author): string =>
  typeof author === "string" ? author : author.name;

export interface AuditEntry {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly actor: Author;
  /** As claimed by the caller; null when nothing was claimed. */
  readonly on_behalf_of: string | null;
  readonly action: AuditAction;
  /** The revision this made; null for what is not intent. */
  readonly revision: number | null;
  /** Whatever an auditor needs to know, never a secret; integers, texts, lists and objects of them. */
  readonly body: Readonly<Record<string, unknown>>;
}

export type AuditRow = typeof audit.$inferSelect;

export type Attempt<T> =
  /** Nothing to write after all. */
  | { readonly write: false; readonly result: T }
  /** `statements` and then the audit row, in one atomic batch. */
  | {
      readonly write: true;
      readonly entry: AuditEntry;
      readonly statements: readonly D1PreparedStatement[];
      readonly result: T;
    };

/** So often a writer loses before it asks for the turn: short ones settle it among themselves. */
const lossesBeforeTurn = 4;
/** Under a turn only those can be first that had begun before it. */
const attemptsMax = 40;
/** Looks at whose turn it is, some 100 ms apart and up to a second. */
const waitsMax = 300;
/** Milliseconds of a first turn; one that did not suffice is followed by one twice as long. */
const firstTurn = 10_000;

/**
 * Reads, decides and writes as if alone. `attempt` may run many times: it must read its facts inside and have no effect
 * besides content-addressed blobs.
 * @throws Refused `busy` when others were faster every time
 */
export function writeAudited<T>(sql: Sql, attempt: () => Promise<Attempt<T>>): Promise<T> {
  const write = (): Promise<T> => persist(sql, attempt);
  return sql.inTurn === undefined ? write() : sql.inTurn(write);
}

async function persist<T>(sql: Sql, attempt: () => Promise<Attempt<T>>): Promise<T> {
  const writer = openWriter(sql);
  try {
    for (let losses = 0; losses < attemptsMax; losses += 1) {
      await writer.waitForTurn(losses);
      const head = await auditHead(sql);
      const outcome = await attempt();
      if (!outcome.write) return outcome.result;
      const last = await auditStatement(sql, head, outcome.entry);
      try {
        await sql.batch([...outcome.statements, last]);
        return outcome.result;
      } catch (error) {
        if (findLostRace(error) === undefined) throw error;
      }
    }
    throw new Refused("busy");
  } finally {
    await writer.end();
  }
}

/** One writer among others: when it may try, and how it gets to be alone. */
function openWriter(sql: Sql) {
  const name = crypto.randomUUID();
  let turns = 0;
  /** Takes the turn where it lost too often; else lets another have theirs. */
  const mayTry = async (losses: number): Promise<boolean> => {
    if (losses < lossesBeforeTurn && turns === 0) return !(await isTurnOfAnother(sql, name));
    const taken = await takeTurn(sql, name, firstTurn * 2 ** turns);
    if (taken) turns += 1;
    return taken;
  };
  return {
    /** @throws Refused `busy` when it is the turn of others all the time */
    async waitForTurn(losses: number): Promise<void> {
      if (losses > 0 && turns === 0) await pause(Math.random() * 20 * 2 ** losses);
      for (let waits = 0; !(await mayTry(losses)); waits += 1) {
        if (waits >= waitsMax) throw new Refused("busy");
        await pause((0.5 + Math.random()) * Math.min(1000, 50 * 1.5 ** waits));
      }
    },
    /** A turn that is not ended ends by itself. */
    async end(): Promise<void> {
      if (turns > 0) await sql.batch([endTurn(sql, name)]);
    },
  };
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** The chain's last link; the first row's `prev` is "0". */
export async function auditHead(sql: Sql): Promise<AuditHead> {
  const [last] = await db(sql)
    .select({ seq: audit.seq, hash: audit.hash })
    .from(audit)
    .orderBy(desc(audit.seq))
    .limit(1);
  return last ?? chainStart;
}

async function auditStatement(
  sql: Sql,
  head: AuditHead,
  entry: AuditEntry,
): Promise<D1PreparedStatement> {
  const { actor, body, ...said } = entry;
  const origin = typeof actor === "string" ? { request_id: null, source: null } : actor;
  const link = {
    ...said,
    actor: nameOf(actor),
    request_id: origin.request_id,
    source: origin.source,
    seq: head.seq + 1,
    body: JSON.stringify(body),
    prev: head.hash,
  };
  return toStatement(
    sql,
    db(sql)
      .insert(audit)
      .values({ ...link, hash: await auditHash(link) }),
  );
}

/**
 * SHA-256 over the canonical form of every other column, `body` as the text that is stored. Rows from before requests
 * were written down have none, and neither has their hash.
 */
async function auditHash(row: Omit<AuditRow, "hash">): Promise<string> {
  const { seq, at, actor, on_behalf_of, action, revision, body, prev, request_id, source } = row;
  const request = request_id === null ? {} : { request_id, source };
  return hashSha256(
    formatCanonical({ seq, at, actor, on_behalf_of, action, revision, body, prev, ...request }),
  );
}

export interface AuditPage {
  /** Only rows older than this seq. */
  readonly before?: number;
  readonly limit: number;
}

/** Audit rows, newest first. */
export async function listAudit(sql: Sql, page: AuditPage): Promise<readonly AuditRow[]> {
  const older = page.before === undefined ? undefined : lt(audit.seq, page.before);
  return db(sql).select().from(audit).where(older).orderBy(desc(audit.seq)).limit(page.limit);
}

/** What `verify` says of the chain: its last link, or the first row that does not follow from the one before. */
export type ChainVerdict =
  | { readonly ok: true; readonly seq: number; readonly hash: string }
  | { readonly ok: false; readonly seq: number; readonly message: string };

/**
 * Recomputes one part of the chain, so that no request reads more than it may.
 * @param head where the part before ended
 * @returns where this part ended; `rows` are none at the end of the chain
 */
export async function verifyPart(
  sql: Sql,
  head: AuditHead,
  limit: number,
): Promise<{ readonly verdict: ChainVerdict; readonly rows: readonly AuditRow[] }> {
  const rows = await db(sql)
    .select()
    .from(audit)
    .where(gt(audit.seq, head.seq))
    .orderBy(asc(audit.seq))
    .limit(limit);
  let last = head;
  for (const row of rows) {
    const message = await linkFault(last, row);
    if (message !== undefined) return { verdict: { ok: false, seq: last.seq + 1, message }, rows };
    last = { seq: row.seq, hash: row.hash };
  }
  return { verdict: { ok: true, ...last }, rows };
}

async function linkFault(before: AuditHead, row: AuditRow): Promise<string | undefined> {
  if (row.seq !== before.seq + 1) return "expected a row with this seq";
  if (row.prev !== before.hash) return "expected prev to be the hash before";
  return row.hash === (await auditHash(row)) ? undefined : "expected another hash";
}

/** One link of the chain, as stored. */
export async function auditLink(sql: Sql, seq: number): Promise<AuditHead | undefined> {
  const [row] = await db(sql)
    .select({ seq: audit.seq, hash: audit.hash })
    .from(audit)
    .where(eq(audit.seq, seq));
  return row;
}

/** Where the chain begins. */
export const chainStart: AuditHead = { seq: 0, hash: "0" };
