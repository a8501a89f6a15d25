/**
 * What all requests and answers of the HTTP API have in common. Everything in this folder is declared once: control
 * plane, command line, agent and lab import it. Requests are strict, so that nothing is passed over that somebody
 * meant; answers may say more than a reader knows. Times are ISO 8601 in UTC.
 */
import * as z from "zod";
import { diagnosticCodes, findingCodes, problemCodes } from "../refusals.ts";

/** Most rows a list gives at once. */
const pageMax = 1000;

/** `?limit=&cursor=`: the cursor is the `next_cursor` of the page before. */
export const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(pageMax).default(100),
  cursor: z.string().max(200).optional(),
});

/** The same for lists by number: the cursor is one too. */
export const NumberedPage = z.strictObject({
  limit: Page.shape.limit,
  cursor: z
    .string()
    .regex(/^[1-9][0-9]{0,14}$/, { error: "expected a cursor that a page before gave" })
    .transform(Number)
    .optional(),
});

/** A page of a list; `next_cursor` is null on the last one. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

/**
 * One finding inside a problem: a JSON pointer into the request or into intent, a code, a sentence. `referencers` are
 * the rows that name one to be deleted, each with the pointer into intent where it does; the first hundred.
 */
export const Finding = z.object({
  path: z.string(),
  code: z.enum(findingCodes),
  message: z.string(),
  referencers: z.array(z.object({ kind: z.string(), key: z.string(), path: z.string() })).optional(),
});
export type Finding = z.infer<typeof Finding>;

/** The body of every refusal: problem+json (RFC 9457). */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(problemCodes),
  detail: z.string().optional(),
  request_id: z.string(),
  errors: z.array(Finding).optional(),
});
export type Problem = z.infer<typeof Problem>;

/** What compiling a commit found that did not stop it; `path` is a JSON pointer into intent. */
export const Warning = z.object({
  severity: z.enum(["error", "warning"]),
  code: z.enum(diagnosticCodes),
  path: z.string(),
  message: z.string(),
});
export type Warning = z.infer<typeof Warning>;
