/**
 * A commit that is made once, however often it is asked for: its answer is stored in its own batch, under the caller's
 * key. A refusal wrote nothing and is not remembered, so that the same request may be tried again.
 */
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import type { Attempt } from "#worker/db/audit.ts";
import {
  findAnswer,
  readKeptAnswer,
  putAnswer,
  seeOf,
  type StoredAnswer,
} from "#worker/db/idempotency.ts";

/** Milliseconds. */
const hour = 3_600_000;

export interface Once<Made> {
  /** Whose key it is: another caller's is another key. */
  readonly principal: string;
  readonly key: string;
  /** Digest of the request, by which another one under the same key is known. */
  readonly request_sha256: string;
  /** `see`: the path at which the same can be read later. */
  readonly answer: (
    made: Made,
  ) => Pick<StoredAnswer, "status" | "response"> & { readonly see: string };
}

/** The answer that this key was given before; nothing was written this time. */
export interface AnsweredBefore {
  readonly ok: "before";
  readonly status: number;
  readonly response: string;
}

interface Result {
  readonly ok: boolean;
}

/**
 * @throws Refused `conflict` when the key was used for another request, `answer_not_kept` when what it did had too long
 * an answer
 */
export async function attemptOnce<R extends Result>(
  ports: Ports,
  once: Once<Extract<R, { readonly ok: true }>>,
  attempt: () => Promise<Attempt<R>>,
): Promise<Attempt<R | AnsweredBefore>> {
  const { principal, key, request_sha256 } = once;
  const now = ports.clock.now();
  const known = await findAnswer(ports.sql, principal, key, now);
  if (known !== undefined && known.request_sha256 !== request_sha256)
    throw new Refused("conflict", { detail: "This Idempotency-Key was used for another request." });
  if (known?.kept === 0) {
    const see = seeOf(known);
    throw new Refused("answer_not_kept", {
      detail: `GET ${see} shows it.`,
      headers: { Location: see },
    });
  }
  if (known !== undefined)
    return {
      write: false,
      result: { ok: "before", status: known.status, response: known.response },
    };
  const outcome = await attempt();
  if (!isMade(outcome.result)) return outcome;
  const expires_at = now + ports.settings.retention.answerHours * hour;
  const { status, response, see } = once.answer(outcome.result);
  const row = {
    principal,
    key,
    request_sha256,
    status,
    ...(await readKeptAnswer(response, see)),
    expires_at,
  };
  const remember = putAnswer(ports.sql, row);
  if (outcome.write) return { ...outcome, statements: [...outcome.statements, remember] };
  // Intent already said all of it: nothing an auditor asks about is written, only what was answered.
  await ports.sql.batch([remember]);
  return outcome;
}

const isMade = <R extends Result>(result: R): result is Extract<R, { readonly ok: true }> =>
  result.ok;
