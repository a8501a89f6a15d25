/** Many changes of intent at once: what they would mean, and making them, all or none. */
import { type Context, Hono } from "hono";
import { formatCanonical } from "#schema/canonical.ts";
import type { Commit } from "#schema/intent.ts";
import { hashSha256 } from "#worker/lib/encoding.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { commit, commitOnce, type MadeCommit } from "./commit.ts";
import { previewCommit } from "./preview.ts";
import { authorOf, principalOf } from "#worker/tokens/index.ts";
import { serveRoute } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { planView } from "./plan-view.ts";
import { commitView } from "./views.ts";
import { refuseCommit, answerCommitted } from "./row-write.ts";

export function routeCommits(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serveRoute(api, "POST /v1/plan", async (c, { body }) => {
    const planned = await previewCommit(ports, body);
    return planned.ok ? c.json(planView(planned)) : refuseCommit(c, planned);
  });
  serveRoute(api, "POST /v1/commits", (c, { body }) => {
    const key = c.req.header(idempotencyHeader);
    const request = body;
    return key === undefined
      ? make(c, ports, request)
      : makeOnce(c, ports, request, requireKey(key));
  });
  return api;
}

async function make(c: Context<AppEnv>, ports: Ports, request: Commit): Promise<Response> {
  const result = await commit(ports, authorOf(c), request);
  return result.ok ? answerCommitted(c, result, statusOf(result)) : refuseCommit(c, result);
}

async function makeOnce(
  c: Context<AppEnv>,
  ports: Ports,
  request: Commit,
  key: string,
): Promise<Response> {
  const principal = principalOf(c).name;
  const result = await commitOnce(ports, principal, request, {
    principal,
    key,
    request_sha256: await hashSha256(formatCanonical(request)),
    answer: (made) => ({
      status: statusOf(made),
      response: JSON.stringify(commitView(made)),
      see: `/v1/revisions/${made.revision}`,
    }),
  });
  switch (result.ok) {
    case "before":
      return c.body(result.response, result.status === 201 ? 201 : 200, {
        "Content-Type": "application/json",
      });
    case true:
      return answerCommitted(c, result, statusOf(result));
    case false:
      return refuseCommit(c, result);
  }
}

const statusOf = ({ changed }: MadeCommit): 200 | 201 => (changed ? 201 : 200);

const idempotencyHeader = "Idempotency-Key";

/** @throws Refused `bad_request` */
function requireKey(key: string): string {
  if (/^[\x21-\x7e][\x20-\x7e]{0,127}$/.test(key)) return key;
  const message = "expected 1 to 128 printable ASCII characters";
  throw new Refused("bad_request", {
    errors: [{ path: `/headers/${idempotencyHeader}`, code: "schema", message }],
  });
}
