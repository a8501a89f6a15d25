/**
 * `portcullis apply`: makes the rows of a source what a catalog says, in one commit on the revision that was planned
 * on. When somebody else commits in between, nothing is written.
 */
import { randomUUID } from "node:crypto";
import * as z from "zod";
import { Note } from "#schema/primitives.ts";
import {
  type Client,
  type Connection,
  connectionHelp,
  connectionOptions,
  openClient,
  Unreachable,
} from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { exitCodes, Failure, type Output, UsageError } from "../output.ts";
import { plural, printProposal } from "../proposal-text.ts";
import {
  catalogHelp,
  catalogOptions,
  inFiles,
  planOptions,
  type Proposal,
  propose,
  readCatalogOf,
} from "../proposal.ts";

const CommitAnswer = z.object({
  revision: z.int(),
  changed: z.boolean(),
  hosts: z.array(z.object({ host: z.string(), seq: z.int() })),
});

const options = {
  ...catalogOptions,
  message: { type: "string", short: "m" },
  yes: { type: "boolean" },
  "on-behalf-of": { type: "string" },
  ...connectionOptions,
} as const;

export const apply: Command = {
  name: "apply",
  summary: "make intent what a catalog says",
  help: `portcullis apply -f FILE [-f FILE ...]

Shows the plan, asks, and commits it. Exit codes: 0 done or nothing to do, 1 an error, 2 called wrongly.

${catalogHelp}
  -m, --message TEXT  why, for the revision (default: apply of the source's name)
  --on-behalf-of WHO  for whom; a claim, recorded beside the token's own name
  --yes               do not ask; needed where nobody can answer
${connectionHelp}`,
  async run(args, { env, output }) {
    const { values } = readArguments(args, options, 0);
    const chosen = planOptions(values);
    const message = note("--message", values.message ?? `apply ${chosen.source}`);
    const behalf = values["on-behalf-of"];
    const on_behalf_of = behalf === undefined ? {} : { on_behalf_of: note("--on-behalf-of", behalf) };
    const catalog = readCatalogOf(values);
    const client = openClient(values satisfies Connection, env);
    const proposal = await propose(client, catalog, chosen);
    const json = values.json === true;
    if (!json) printProposal(output, proposal);
    const { answer, warnings, notes } = proposal;
    const planned = { ...answer, source: chosen.source, warnings, notes };
    if (answer.changes.length === 0) {
      if (json) output.line(JSON.stringify({ changed: false, revision: answer.revision, plan: planned }));
      return exitCodes.ok;
    }
    if (values.yes !== true) await agreed(output, proposal);
    const written = await commit(client, proposal, { message, source: chosen.source, ...on_behalf_of });
    if (json)
      output.line(JSON.stringify({ changed: written.changed, revision: written.revision, plan: planned }));
    else output.line(`revision ${written.revision}: published to ${plural(written.hosts.length, "host")}`);
    return exitCodes.ok;
  },
};

function note(option: string, text: string): string {
  const parsed = Note.safeParse(text);
  if (!parsed.success) throw new UsageError(`${option}: ${parsed.error.issues[0]?.message ?? "not a text"}`);
  return parsed.data;
}

/** @throws Failure unless a person says yes */
async function agreed(output: Output, { answer }: Proposal): Promise<void> {
  if (output.confirm === undefined) throw new UsageError("nobody can be asked here: give --yes");
  if (!(await output.confirm(`Commit ${plural(answer.changes.length, "change")}?`)))
    throw new Failure("not confirmed; nothing was written");
}

const attempts = 3;

/** Commits once, however often it has to be sent: the key makes a second arrival the first one's answer. */
async function commit(
  client: Client,
  { catalog, changes, allowed, answer }: Proposal,
  described: Readonly<Record<string, string>>,
): Promise<z.infer<typeof CommitAnswer>> {
  const body = { ...described, ...allowed, parent: answer.revision, changes };
  const headers = { "Idempotency-Key": randomUUID() };
  for (let attempt = 1; ; attempt += 1)
    try {
      return await inFiles(catalog, changes, () =>
        client.call("POST", "/v1/commits", CommitAnswer, body, headers),
      );
    } catch (error) {
      if (!(error instanceof Unreachable) || attempt === attempts) throw error;
    }
}
