/** Many changes of intent at once: what they would mean, and making them, all or none. */
import { type Context, Hono } from "hono";
import { canonicalText } from "#schema/canonical.ts";
import type { Commit } from "#schema/intent.ts";
import { sha256Hex } from "#worker/lib/encoding.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { commit, commitOnce, type MadeCommit } from "./commit.ts";
import { preview } from "./preview.ts";
import { authorOf, principalOf } from "#worker/tokens/index.ts";
import { serve } from "#worker/http/serve.ts";
import type { AppEnv } from "#worker/http/env.ts";
import { planView } from "./plan-view.ts";
import { commitView } from "./views.ts";
import { refusal, success } from "./row-write.ts";

export function commits(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  serve(api, "POST /v1/plan", async (c, { body }) => {
    const planned = await preview(ports, body);
    return planned.ok ? c.json(planView(planned)) : refusal(c, planned);
  });
  serve(api, "POST /v1/commits", (c, { body }) => {
    const key = c.req.header(idempotencyHeader);
    const request = body;
    return key === undefined ? make(c, ports, request) : makeOnce(c, ports, request, validKey(key));
  });
  return api;
}

async function make(c: Context<AppEnv>, ports: Ports, request: Commit): Promise<Response> {
  const result = await commit(ports, authorOf(c), request);
  return result.ok ? success(c, result, statusOf(result)) : refusal(c, result);
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
    request_sha256: await sha256Hex(canonicalText(request)),
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
      return success(c, result, statusOf(result));
    case false:
      return refusal(c, result);
  }
}

const statusOf = ({ changed }: MadeCommit): 200 | 201 => (changed ? 201 : 200);

const idempotencyHeader = "Idempotency-Key";

/** @throws Refused `bad_request` */
function validKey(key: string): string {
  if (/^[\x21-\x7e][\x20-\x7e]{0,127}$/.test(key)) return key;
  const message = "expected 1 to 128 printable ASCII characters";
  throw new Refused("bad_request", {
    errors: [{ path: `/headers/${idempotencyHeader}`, code: "schema", message }],
  });
}
