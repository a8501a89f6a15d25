/**
 * What all requests and answers of the HTTP API have in common. Everything in this folder is declared once: control
 * plane, command line, agent and lab import it. Requests are strict, so that nothing is passed over that somebody
 * meant; answers may say more than a reader knows. Times are ISO 8601 in UTC.
 */
import * as z from "zod";
import { list, textUpTo } from "../primitives.ts";
import { problemCodes } from "../problems.ts";
import { diagnosticCodes, findingCodes } from "../refusals.ts";

/** Most rows a list gives at once. */
const pageMax = 1000;

/** A whole number as text in a path or a query: decimal digits and nothing else, so that `0x10` and `1e1` are none. */
export const makeDecimal = (min: number, max: number) =>
  z.preprocess(readDigits, makeWhole(min, max));

/** The same, and what is meant where nothing is said: inside, where the OpenAPI document reads it. */
export const decimalOr = (min: number, max: number, otherwise: number) =>
  z.preprocess(readDigits, makeWhole(min, max).default(otherwise));

const readDigits = (text: unknown): unknown =>
  typeof text === "string" && /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : text;

function makeWhole(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** `?limit=&cursor=`: the cursor is the `next_cursor` of the page before. */
export const Page = z.strictObject({
  limit: decimalOr(1, pageMax, 100),
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

/** Of an answer: a name, a key, a digest, who did something. Longer than any that is admitted. */
export const Word = textUpTo(300);
/** Of an answer: what is said to people. */
export const Sentence = textUpTo(100_000);
/** Of an answer: more than a request may bring about. */
export const many = <T extends z.ZodType>(item: T) => list(item, { max: 1_000_000 });

/** A page of a list; `next_cursor` is null on the last one. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: list(item, { max: pageMax }), next_cursor: Word.nullable() });

/**
 * One finding inside a problem: a JSON pointer into the request or into intent, a code, a sentence. `referencers` are
 * the rows that name one to be deleted, each with the pointer into intent where it does; the first hundred.
 */
export const Finding = z.object({
  path: Sentence,
  code: z.enum(findingCodes),
  message: Sentence,
  referencers: many(z.object({ kind: Word, key: Word, path: Sentence })).optional(),
  /** Of `guard_refused`: the hosts whose guard refuses the bundle. */
  hosts: many(Word).optional(),
});
export type Finding = z.infer<typeof Finding>;

/** The body of every refusal: problem+json (RFC 9457). */
export const Problem = z.object({
  type: Word,
  title: Word,
  status: z.int().min(400).max(599),
  code: z.enum(problemCodes),
  detail: Sentence.optional(),
  request_id: Word,
  errors: many(Finding).optional(),
});
export type Problem = z.infer<typeof Problem>;

/** What compiling a commit found that did not stop it; `path` is a JSON pointer into intent. */
export const Warning = z.object({
  severity: z.enum(["error", "warning"]),
  code: z.enum(diagnosticCodes),
  path: Sentence,
  message: Sentence,
  /** Of `guard_refused`: the hosts whose guard refuses the bundle. */
  hosts: many(Word).optional(),
});
export type Warning = z.infer<typeof Warning>;
