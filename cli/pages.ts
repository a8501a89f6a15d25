/** Lists that come in pages, followed to their end. A control plane that never ends a list is given up on. */
import * as z from "zod";
import { type Kind, kinds } from "#schema/intent.ts";
import type { Client } from "./client.ts";
import { Failure } from "./output.ts";
import type { CurrentRow } from "./plan.ts";

const pageSize = 100;
const pagesMax = 10_000;
const readingsMax = 5;

const pathOf = (path: string, limit: number, cursor: string | null): string =>
  `${path}${path.includes("?") ? "&" : "?"}${new URLSearchParams({ limit: String(limit), ...(cursor === null ? {} : { cursor }) }).toString()}`;

/** The first items of a list, all of them by default. */
export async function listItems<T>(
  client: Client,
  path: string,
  item: z.ZodType<T>,
  most = Number.POSITIVE_INFINITY,
): Promise<readonly T[]> {
  const answer = z.object({ items: z.array(item), next_cursor: z.string().nullable() });
  const items: T[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < pagesMax; page += 1) {
    const limit = Math.min(pageSize, most - items.length);
    const read: z.infer<typeof answer> = await client.call("GET", pathOf(path, limit, cursor), answer);
    items.push(...read.items);
    cursor = read.next_cursor;
    if (cursor === null || items.length >= most) return items;
  }
  throw new Failure(`GET ${path}: the list does not end`);
}

export interface CurrentIntent {
  readonly revision: number;
  readonly rows: readonly CurrentRow[];
}

const RowsPage = z.object({
  revision: z.int(),
  rows: z.array(z.object({ kind: z.string(), key: z.string(), body: z.unknown(), source: z.string() })),
  next_cursor: z.string().nullable(),
});

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
  let cursor: string | null = null;
  for (let page = 0; page < pagesMax; page += 1) {
    const read: z.infer<typeof RowsPage> = await client.call(
      "GET",
      pathOf("/v1/rows", pageSize, cursor),
      RowsPage,
    );
    first ??= read.revision;
    if (read.revision !== first) return undefined;
    rows.push(...read.rows.flatMap(knownRow));
    cursor = read.next_cursor;
    if (cursor === null) return { revision: first, rows };
  }
  throw new Failure("GET /v1/rows: the list does not end");
}

/** A kind that this version does not know is no file's and is left alone. */
function knownRow({
  kind,
  key,
  body,
  source,
}: z.infer<typeof RowsPage>["rows"][number]): readonly CurrentRow[] {
  if (!isKind(kind)) return [];
  const parsed = kinds[kind].body.safeParse(body);
  if (!parsed.success)
    throw new Failure(`${kind} ${key} is not as this version knows it; use the control plane's version`);
  return [{ kind, key, body: parsed.data, source }];
}

const isKind = (kind: string): kind is Kind => Object.hasOwn(kinds, kind);
