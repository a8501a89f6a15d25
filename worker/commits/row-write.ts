/** From a request that writes intent to the writer, and from its result to a response. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Diagnostic } from "#schema/refusals.ts";
import type { WriteQuery } from "#schema/api/rows.ts";
import type { Change, Commit } from "#schema/intent.ts";
import { Note } from "#schema/primitives.ts";
import type { Ports } from "#worker/ports/index.ts";
import { answerProblem } from "#worker/http/problem.ts";
import { Refused } from "#worker/lib/refused.ts";
import { commit, type CommitResult, type Precondition, type RefusedCommit } from "./commit.ts";
import { authorOf } from "#worker/tokens/index.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { commitView } from "./views.ts";

/** On whose behalf the caller claims to write; stored apart from who they are. */
const onBehalfOfHeader = "Portcullis-On-Behalf-Of";

/** The version of a row as an entity tag. */
export const rowTag = (revision: number): string => `"${revision}"`;

/** Commits one change, with the preconditions and the claims of the request's headers. */
export async function writeRow(
  c: Context<AppEnv>,
  ports: Ports,
  change: Change,
  { message, release }: WriteQuery,
): Promise<Response> {
  const claimed = c.req.header(onBehalfOfHeader);
  const request: Commit = {
    message: message ?? `${change.op} ${change.kind} ${change.key}`,
    ...(claimed === undefined
      ? {}
      : { on_behalf_of: note(`/headers/${onBehalfOfHeader}`, claimed) }),
    source: "api",
    release,
    changes: [change],
  };
  const result = await commit(ports, authorOf(c), request, readPrecondition(c, change));
  if (!result.ok) return refuseRow(c, result);
  const [row] = result.rows;
  if (row !== undefined && row.op !== "deleted") c.header("ETag", rowTag(row.revision));
  return answerCommitted(c, result, row?.op === "created" ? 201 : 200);
}

/** Paths point into this request's body, which is the row; a row that is not there cannot be deleted. */
function refuseRow(c: Context<AppEnv>, result: RefusedCommit): Response {
  if (!("diagnostics" in result)) return refuseCommit(c, result);
  if (result.diagnostics.some(({ code }) => code === "nothing_to_delete"))
    return answerProblem(c, "not_found", { detail: "There is no such row to delete." });
  const diagnostics = result.diagnostics.map((diagnostic) => ({
    ...diagnostic,
    path: diagnostic.path.replace(/^\/changes\/0\/(?:body|key)/, ""),
  }));
  return refuseCommit(c, { ...result, diagnostics });
}

/** The response to a commit that was made, or that had nothing to do. */
export function answerCommitted(
  c: Context<AppEnv>,
  result: Extract<CommitResult, { ok: true }>,
  status: ContentfulStatusCode,
): Response {
  return c.json(commitView(result), status);
}

/** The response to a commit that was refused: nothing was written. */
export function refuseCommit(c: Context<AppEnv>, result: RefusedCommit): Response {
  switch (result.code) {
    case "stale_parent":
      return answerProblem(c, "stale_parent", { detail: `Head is revision ${result.head}.` });
    case "precondition_failed":
      return answerProblem(c, "precondition_failed");
    case "release_staged":
      return answerProblem(c, "release_staged", {
        detail:
          "Commit it with release staged and start a rollout; in an emergency, one with emergency true.",
      });
    case "conflict":
      return answerProblem(c, "conflict", { errors: errorsOf(result.diagnostics) });
    case "invalid_intent":
      return answerProblem(c, "invalid_intent", {
        ...guardAdvice(result.diagnostics),
        errors: errorsOf(result.diagnostics),
      });
  }
}

/** What a caller can do besides changing rows: guards change where they stand, and reports may be old. */
const guardAdvice = (diagnostics: readonly Diagnostic[]): { readonly detail?: string } =>
  diagnostics.some(({ code, severity }) => code === "guard_refused" && severity === "error")
    ? {
        detail:
          "Change the rows or the guards; allow_guard_refusals, with a host's name, publishes all the same.",
      }
    : {};

/** All errors; warnings did not stop it. */
const errorsOf = (diagnostics: readonly Diagnostic[]) =>
  diagnostics
    .filter(({ severity }) => severity === "error")
    .map(({ path, code, message, referencers, hosts }) => ({
      path,
      code,
      message,
      ...(referencers === undefined ? {} : { referencers: [...referencers] }),
      ...(hosts === undefined ? {} : { hosts: [...hosts] }),
    }));

function note(path: string, text: string): string {
  const parsed = Note.safeParse(text);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ message }) => ({
    path,
    code: "schema" as const,
    message,
  }));
  throw new Refused("bad_request", { errors });
}

/** If-Match and If-None-Match (RFC 9110 §13.1); tags compare strongly, so a weak one matches nothing. */
function readPrecondition(c: Context<AppEnv>, { kind, key }: Change): Precondition | undefined {
  const match = c.req.header("If-Match");
  const noneMatch = c.req.header("If-None-Match");
  if (match === undefined && noneMatch === undefined) return undefined;
  if (match !== undefined && noneMatch !== undefined)
    throw new Refused("bad_request", {
      detail: "If-Match and If-None-Match together have no meaning here.",
    });
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === "*") return { kind, key, expects: "absent" };
    throw new Refused("bad_request", {
      detail: "If-None-Match takes * here: write only what is not there.",
    });
  }
  if (match?.trim() === "*") return { kind, key, expects: "any" };
  const tags = (match ?? "").split(",").map((tag) => /^"(\d{1,15})"$/.exec(tag.trim())?.[1]);
  return { kind, key, expects: tags.filter((tag) => tag !== undefined).map(Number) };
}
