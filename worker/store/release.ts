/**
 * Release levels as stored: which revisions are withheld from which host, and which hosts are pinned. A host without a
 * row has everything. Lists travel as JSON in one parameter, because D1 binds at most 100 a statement.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import { asc } from "drizzle-orm";
import * as z from "zod";
import { compareText } from "#schema/order.ts";
import { pin, withheld } from "#schema/tables/index.ts";
import type { Sql } from "../ports.ts";
import { db, statement } from "./db.ts";
import { Row } from "./intent.ts";

/** What is withheld from one host, rising. `narrowed` are those of `withheld` whose takings it has already lost. */
export interface Level {
  readonly withheld: readonly number[];
  readonly narrowed: readonly number[];
}

export const released: Level = { withheld: [], narrowed: [] };

/** Hosts that are not at `released`, grouped by their level; and pinned hosts. */
export interface Releases {
  readonly levels: ReadonlyMap<string, Level>;
  readonly pinned: ReadonlySet<string>;
}

const Withheld = z.array(
  z.object({ host: z.string(), revision: z.int(), level: z.enum(["withheld", "narrowed"]) }),
);
const Pins = z.array(z.object({ host: z.string() }));

export async function readReleases(sql: Sql): Promise<Releases> {
  const rows = db(sql).select().from(withheld).orderBy(asc(withheld.host), asc(withheld.revision));
  const [levels, pins] = await sql.batch([
    statement(sql, rows),
    statement(sql, db(sql).select({ host: pin.host }).from(pin)),
  ]);
  return {
    levels: levelsOf(Withheld.parse(levels?.results)),
    pinned: new Set(Pins.parse(pins?.results).map(({ host }) => host)),
  };
}

/** Hosts of one level share one value, so that it names their group. */
function levelsOf(rows: z.infer<typeof Withheld>): ReadonlyMap<string, Level> {
  const known = new Map<string, Level>();
  const shared = (level: Level): Level => {
    const name = JSON.stringify(level);
    const first = known.get(name) ?? level;
    known.set(name, first);
    return first;
  };
  const revisions = (of: typeof rows) => of.map(({ revision }) => revision);
  return new Map(
    [...Map.groupBy(rows, ({ host }) => host)].map(([host, own]) => {
      const narrowed = own.filter(({ level }) => level === "narrowed");
      return [host, shared({ withheld: revisions(own), narrowed: revisions(narrowed) })];
    }),
  );
}

/**
 * Every version, of every row that one of these revisions wrote or deleted, that was there when the first of them was
 * made or came later: what intent is without any of them can be told from these and the rows at head.
 */
export async function readVersions(sql: Sql, revisions: readonly number[]): Promise<readonly Row[]> {
  if (revisions.length === 0) return [];
  const text =
    'SELECT kind, key, body, from_revision, to_revision, "by", on_behalf_of, source FROM intent WHERE (kind, key) IN (SELECT kind, key FROM intent WHERE from_revision IN (SELECT value FROM json_each(?1)) UNION SELECT kind, key FROM intent WHERE to_revision IN (SELECT value FROM json_each(?1))) AND (to_revision IS NULL OR to_revision >= ?2)';
  const { results } = await sql
    .prepare(text)
    .bind(JSON.stringify(revisions), Math.min(...revisions))
    .all();
  return z.array(Row).parse(results);
}

/** Withholds a revision from hosts. */
export const withhold = (sql: Sql, revision: number, hosts: readonly string[]): D1PreparedStatement =>
  sql
    .prepare("INSERT INTO withheld (host, revision, level) SELECT value, ?1, 'withheld' FROM json_each(?2)")
    .bind(revision, JSON.stringify([...hosts].sort(compareText)));
