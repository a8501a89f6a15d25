/** Committing what was planned, once and on the revision that was planned on, and saying what came of it. */
import { randomUUID } from "node:crypto";
import { UsageError } from "#args/exits.ts";
import type { Committed } from "#schema/api/commits.ts";
import type { ReleaseTime } from "#schema/intent.ts";
import { type Client, Unreachable } from "#cli/http/client.ts";
import { plural } from "#cli/text/lines.ts";
import { Failure, type Output } from "#cli/text/output.ts";
import { callNamingFiles, type Proposal } from "./proposal.ts";

/** `revision 8: published to 3 hosts, withheld from 1 pinned host`. */
export function formatWritten({ revision, hosts, staged, pinned, waiting }: Committed): string {
  const held = [
    ...(staged.length === 0 ? [] : [`staged for ${plural(staged.length, "host")}`]),
    ...(pinned.length === 0 ? [] : [`withheld from ${plural(pinned.length, "pinned host")}`]),
    ...(waiting.length === 0 ? [] : [`waiting on ${plural(waiting.length, "host")}`]),
  ];
  const published = `published to ${plural(hosts.length, "host")}`;
  return `revision ${revision}: ${[...(held.length > 0 && hosts.length === 0 ? [] : [published]), ...held].join(", ")}`;
}

/** @throws Failure unless a person says yes; UsageError where nobody can be asked */
export async function requireAgreement(output: Output, { answer }: Proposal): Promise<void> {
  if (output.confirm === undefined) throw new UsageError("nobody can be asked here: give --yes");
  if (!(await output.confirm(`Commit ${plural(answer.changes.length, "change")}?`)))
    throw new Failure("not confirmed; nothing was written");
}

export interface Described {
  readonly message: string;
  readonly source: string;
  readonly release: ReleaseTime;
  readonly on_behalf_of?: string;
}

const attempts = 3;

/** Commits once, however often it has to be sent: the key makes a second arrival the first one's answer. */
export async function commit(
  client: Client,
  { catalog, changes, allowed, answer }: Proposal,
  described: Described,
): Promise<Committed> {
  const body = { ...described, ...allowed, parent: answer.revision, changes: [...changes] };
  const headers = { "Idempotency-Key": randomUUID() };
  for (let attempt = 1; ; attempt += 1)
    try {
      return await callNamingFiles(catalog, changes, () =>
        client.call("POST /v1/commits", { body, headers }),
      );
    } catch (error) {
      if (!(error instanceof Unreachable) || attempt === attempts) throw error;
    }
}
