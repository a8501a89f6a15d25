/**
 * The audit chain, and the only way to write anything that an auditor asks about.
 *
 * `audited` runs one batch that ends in one audit row, so a mutation without its audit row cannot be built. The row
 * carries the hash of the row before, and a trigger refuses any other, so the chain is also one lock: everything an
 * attempt read after its head is still true when its batch commits, or the batch fails and the attempt runs again.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { asc, desc, gt, lt } from "drizzle-orm";
import { canonicalText } from "#schema/canonical.ts";
import type { RolloutAction } from "#schema/rollout.ts";
import { audit } from "./tables/index.ts";
import { sha256Hex } from "#worker/lib/encoding.ts";
import type { Sql } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { db, lostRace, statement } from "./drizzle.ts";
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

export interface AuditEntry {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** As authenticated. */
  readonly actor: string;
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
export function audited<T>(sql: Sql, attempt: () => Promise<Attempt<T>>): Promise<T> {
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
        if (lostRace(error) === undefined) throw error;
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

interface AuditHead {
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
  return last ?? { seq: 0, hash: "0" };
}

async function auditStatement(sql: Sql, head: AuditHead, entry: AuditEntry): Promise<D1PreparedStatement> {
  const link = { ...entry, seq: head.seq + 1, body: JSON.stringify(entry.body), prev: head.hash };
  return statement(
    sql,
    db(sql)
      .insert(audit)
      .values({ ...link, hash: await auditHash(link) }),
  );
}

/** SHA-256 over the canonical form of every other column, `body` as the text that is stored. */
async function auditHash(row: Omit<AuditRow, "hash">): Promise<string> {
  const { seq, at, actor, on_behalf_of, action, revision, body, prev } = row;
  return sha256Hex(canonicalText({ seq, at, actor, on_behalf_of, action, revision, body, prev }));
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

export type AuditVerdict =
  | { readonly ok: true; readonly seq: number; readonly hash: string }
  | { readonly ok: false; readonly seq: number; readonly message: string };

/** Recomputes the whole chain; names the first row that does not follow from the one before. */
export async function verifyAudit(sql: Sql): Promise<AuditVerdict> {
  let head: AuditHead = { seq: 0, hash: "0" };
  for (;;) {
    const rows = await db(sql)
      .select()
      .from(audit)
      .where(gt(audit.seq, head.seq))
      .orderBy(asc(audit.seq))
      .limit(500);
    if (rows.length === 0) return { ok: true, ...head };
    for (const row of rows) {
      const seq: number = head.seq + 1;
      if (row.seq !== seq) return { ok: false, seq, message: "expected a row with this seq" };
      if (row.prev !== head.hash) return { ok: false, seq, message: "expected prev to be the hash before" };
      if (row.hash !== (await auditHash(row))) return { ok: false, seq, message: "expected another hash" };
      head = { seq, hash: row.hash };
    }
  }
}
