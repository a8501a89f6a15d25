/** Reading rows of intent, the same for every kind. */
import type { Context } from "hono";
import type * as z from "zod";
import type { Page } from "#schema/api/common.ts";
import type { Kind } from "#schema/intent.ts";
import type { Ports } from "#worker/ports/index.ts";
import { answerProblem } from "#worker/http/problem.ts";
import { findRow, listRows, rowView } from "#worker/intent/index.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { makePage } from "#worker/http/views.ts";
import { rowTag } from "./row-write.ts";

export async function answerRow(
  c: Context<AppEnv>,
  ports: Ports,
  kind: Kind,
  key: string,
): Promise<Response> {
  const row = await findRow(ports.sql, kind, key);
  if (row === undefined)
    return answerProblem(c, "not_found", { detail: `There is no ${kind} of this name.` });
  c.header("ETag", rowTag(row.from_revision));
  return c.json(rowView(row));
}

/** A page of open rows by key; the cursor is the last key. */
export async function answerRows(
  c: Context<AppEnv>,
  ports: Ports,
  kind: Kind,
  page: z.infer<typeof Page>,
  prefix = "",
): Promise<Response> {
  const { limit, cursor = "" } = page;
  const rows = await listRows(ports.sql, { kind, prefix, after: cursor, limit });
  return c.json(makePage(rows, limit, rowView, (row) => row.key));
}
