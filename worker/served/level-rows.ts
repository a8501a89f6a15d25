/**
 * Release levels as stored: which revisions are withheld from which host, and which hosts are pinned. A host without a
 * row has everything. Lists travel as JSON in one parameter, because D1 binds at most 100 a statement.
 */
import { inListAt } from "#worker/db/lists.ts";
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { asc, eq, ne } from "drizzle-orm";
import * as z from "zod";
import { compareText } from "#schema/order.ts";
import { ReleaseLevel } from "#schema/rollout.ts";
import { pin, withheld } from "#worker/db/tables/index.ts";
import type { Sql } from "#worker/ports/index.ts";
import { db, toStatement } from "#worker/db/drizzle.ts";
import { Row } from "#worker/intent/index.ts";

/** What is withheld from one host, rising. `narrowed` are those of `withheld` whose takings it has already lost. */
export interface Level {
  readonly withheld: readonly number[];
  readonly narrowed: readonly number[];
}

export const nothingWithheld: Level = { withheld: [], narrowed: [] };

/** A revision as it stands with one host; `released` ones it has, and an open rollout may still take them back. */
export interface HostLevel {
  readonly revision: number;
  readonly level: ReleaseLevel;
}

/** Hosts that are not at `released`, by their level, which is one value for all hosts that share it; and pinned hosts. */
export interface Releases {
  readonly levels: ReadonlyMap<string, Level>;
  readonly pinned: ReadonlySet<string>;
}

const Withheld = z.array(z.object({ host: z.string(), revision: z.int(), level: ReleaseLevel }));
const Pins = z.array(z.object({ host: z.string() }));

export async function readReleases(sql: Sql): Promise<Releases> {
  const rows = db(sql)
    .select()
    .from(withheld)
    .where(ne(withheld.level, "released"))
    .orderBy(asc(withheld.host), asc(withheld.revision));
  const [levels, pins] = await sql.batch([toStatement(sql, rows), pinsStatement(sql)]);
  return { levels: levelsOf(Withheld.parse(levels?.results)), pinned: pinnedIn(pins?.results) };
}

export const readPinned = async (sql: Sql): Promise<ReadonlySet<string>> =>
  pinnedIn((await pinsStatement(sql).all()).results);

const pinsStatement = (sql: Sql) => toStatement(sql, db(sql).select({ host: pin.host }).from(pin));
const pinnedIn = (rows: unknown): ReadonlySet<string> =>
  new Set(Pins.parse(rows).map(({ host }) => host));

const levelsOf = (rows: z.infer<typeof Withheld>): ReadonlyMap<string, Level> =>
  shareLevels(
    [...Map.groupBy(rows, ({ host }) => host)].map(([host, own]) => [host, levelOf(own)]),
  );

/** Hosts of one level share one value, so that it names their group. */
export function shareLevels(
  levels: Iterable<readonly [string, Level]>,
): ReadonlyMap<string, Level> {
  const known = new Map<string, Level>();
  return new Map(
    [...levels].map(([host, level]) => {
      const name = JSON.stringify(level);
      const first = known.get(name) ?? level;
      known.set(name, first);
      return [host, first];
    }),
  );
}

/** @param held by revision, rising */
export function levelOf(held: readonly HostLevel[]): Level {
  const at = (...levels: readonly ReleaseLevel[]) =>
    held.filter(({ level }) => levels.includes(level)).map(({ revision }) => revision);
  return { withheld: at("withheld", "narrowed"), narrowed: at("narrowed") };
}

/** How each revision stands with each of these hosts, rising. */
export async function readHostLevels(
  sql: Sql,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, readonly HostLevel[]>> {
  const { results } = await sql
    .prepare(
      `SELECT w.host, w.revision, w.level
        FROM json_each(?1) AS h
        JOIN withheld w ON w.host = h.value
        ORDER BY w.revision`,
    )
    .bind(JSON.stringify(hosts))
    .all();
  return Map.groupBy(Withheld.parse(results), ({ host }) => host);
}

/** Sets the level of every revision up to one for these hosts. */
export const setLevel = (
  sql: Sql,
  upTo: number,
  level: ReleaseLevel,
  hosts: readonly string[],
): D1PreparedStatement =>
  sql
    .prepare(
      `UPDATE withheld
        SET level = ?1
        WHERE revision <= ?2 AND host IN ${inListAt(3)}`,
    )
    .bind(level, upTo, JSON.stringify(hosts));

/** Ends the withholding of every revision up to one from these hosts: there is no way back any more. */
export const forget = (sql: Sql, upTo: number, hosts: readonly string[]): D1PreparedStatement =>
  sql
    .prepare(`DELETE FROM withheld WHERE revision <= ?1 AND host IN ${inListAt(2)}`)
    .bind(upTo, JSON.stringify(hosts));

/**
 * Every version, of every row that one of these revisions wrote or deleted, that was there when the first of them was
 * made or came later: what intent is without any of them can be told from these and the rows at head.
 */
export async function readVersions(
  sql: Sql,
  revisions: readonly number[],
): Promise<readonly Row[]> {
  if (revisions.length === 0) return [];
  const text = `SELECT kind, key, body, from_revision, to_revision, "by", on_behalf_of, source
      FROM intent
      WHERE (kind, key) IN (SELECT kind, key FROM intent
        WHERE from_revision IN ${inListAt(1)} UNION SELECT kind, key
        FROM intent WHERE to_revision IN ${inListAt(1)})
        AND (to_revision IS NULL OR to_revision >= ?2)`;
  const { results } = await sql
    .prepare(text)
    .bind(JSON.stringify(revisions), Math.min(...revisions))
    .all();
  return z.array(Row).parse(results);
}

/** Withholds a revision from hosts. */
export const withhold = (
  sql: Sql,
  revision: number,
  hosts: readonly string[],
): D1PreparedStatement =>
  sql
    .prepare(
      `INSERT INTO withheld (host, revision, level)
        SELECT value, ?1, 'withheld'
        FROM json_each(?2)
        WHERE true
        ON CONFLICT (host, revision) DO UPDATE SET level = 'withheld'`,
    )
    .bind(revision, JSON.stringify([...hosts].sort(compareText)));

/** Pinning a pinned host says why anew. */
export const addPin = (
  sql: Sql,
  host: string,
  said: Omit<typeof pin.$inferSelect, "host">,
): D1PreparedStatement =>
  toStatement(
    sql,
    db(sql)
      .insert(pin)
      .values({ host, ...said })
      .onConflictDoUpdate({ target: pin.host, set: said }),
  );

export const removePin = (sql: Sql, host: string): D1PreparedStatement =>
  toStatement(sql, db(sql).delete(pin).where(eq(pin.host, host)));
