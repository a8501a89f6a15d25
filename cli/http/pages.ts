/** Lists that come in pages, followed to their end. A control plane that never ends a list is given up on. */
import type { RowsPage } from "#schema/api/rows.ts";
import type { Answered, Asked, ItemOf, ListRoute } from "#schema/api/types.ts";
import { type Kind, kinds } from "#schema/intent.ts";
import type { Client } from "./client.ts";
import { Failure } from "#cli/text/output.ts";

export interface CurrentRow {
  readonly kind: Kind;
  readonly key: string;
  readonly body: unknown;
  readonly source: string;
  /** The revision that wrote it. */
  readonly revision: number;
}

const pageSize = 100;
const pagesMax = 10_000;
const readingsMax = 5;

/** The first items of a list, all of them by default. */
export async function listItems<N extends ListRoute>(
  client: Client,
  route: N,
  asked: Asked<N>,
  most = Number.POSITIVE_INFINITY,
): Promise<readonly ItemOf<N>[]> {
  const items: ItemOf<N>[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < pagesMax; page += 1) {
    const query = { ...asked.query, limit: Math.min(pageSize, most - items.length), cursor };
    // Every list takes a limit and a cursor, and answers a page; the types of all lists at once do not say so.
    const answer: unknown = await client.call(route, { ...asked, query } as Asked<N>);
    const read = answer as Page<ItemOf<N>>;
    items.push(...read.items);
    if (read.next_cursor === null || items.length >= most) return items;
    cursor = read.next_cursor;
  }
  throw new Failure(`${route}: the list does not end`);
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

export interface CurrentIntent {
  readonly revision: number;
  readonly rows: readonly CurrentRow[];
}

/** All rows as they stand at one revision: pages of different ones are read again. */
export async function readRows(client: Client): Promise<CurrentIntent> {
  for (let reading = 0; reading < readingsMax; reading += 1) {
    const intent = await readOnce(client);
    if (intent !== undefined) return intent;
  }
  throw new Failure("others commit faster than the rows can be read; try again");
}

/** @returns undefined when somebody committed between two pages */
async function readOnce(client: Client): Promise<CurrentIntent | undefined> {
  const rows: CurrentRow[] = [];
  let first: number | undefined;
  let cursor: string | undefined;
  for (let page = 0; page < pagesMax; page += 1) {
    const read: Answered<"GET /v1/rows"> = await client.call("GET /v1/rows", {
      query: { limit: pageSize, cursor },
    });
    first ??= read.revision;
    if (read.revision !== first) return undefined;
    rows.push(...read.rows.map(parseCurrentRow));
    if (read.next_cursor === null) return { revision: first, rows };
    cursor = read.next_cursor;
  }
  throw new Failure("GET /v1/rows: the list does not end");
}

/** The body as its own kind reads it. */
function parseCurrentRow({
  kind,
  key,
  body,
  source,
  from_revision,
}: RowsPage["rows"][number]): CurrentRow {
  const parsed = kinds[kind].body.safeParse(body);
  if (parsed.success) return { kind, key, body: parsed.data, source, revision: from_revision };
  throw new Failure(
    `${kind} ${key} is not as this version knows it; use the control plane's version`,
  );
}
