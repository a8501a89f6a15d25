/**
 * `portcullis apply`: makes the rows of a source what a catalog says, in one commit on the revision that was planned
 * on. When somebody else commits in between, nothing is written.
 */
import { randomUUID } from "node:crypto";
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import type { Committed } from "#schema/api/commits.ts";
import type { ReleaseTime } from "#schema/intent.ts";
import { type Client, connectionOptions, openClient, Unreachable } from "../../client.ts";
import { behalfOption, command, note, onBehalfOf } from "../../command.ts";
import { Failure, type Output } from "../../output.ts";
import { plural } from "../../lines.ts";
import { printProposal } from "../../proposal-text.ts";
import {
  catalogOptions,
  describeProposal,
  inFiles,
  planOptions,
  type Proposal,
  propose,
  readCatalogOf,
} from "../../proposal.ts";
import { strategyOf } from "../../rollout-request.ts";
import { watchRollout } from "../../rollout.ts";
import { printSuperseded } from "../rollout/start.ts";

const options = {
  ...catalogOptions,
  message: value("TEXT", "why, for the revision (default: apply of the source's name)", { short: "m" }),
  "on-behalf-of": behalfOption,
  stage: flag("change no host: portcullis rollout start brings it to them"),
  rollout: value(
    "S",
    "stage it, start a rollout to the hosts it changes, and watch that: canary, all, or " +
      "labels:env=staging,env=prod; portcullis rollout start --help says more",
  ),
  yes: flag("do not ask; needed where nobody can answer"),
  ...connectionOptions,
} as const;

export const apply = command(
  {
    name: "apply",
    summary: "make intent what a catalog says",
    about: ["Shows the plan, asks, and commits it."],
    positionals: {},
    options,
    examples: ["apply -f catalog/", "apply -f catalog/ -m 'open the shop' --rollout canary --yes"],
    exits:
      "0 done or nothing to do, 1 an error, 2 called wrongly. " +
      "With --rollout, what the rollout came to: 0 completed, 1 stopped, 3 paused.",
  },
  async ({ values }, context) => {
    const { env, output } = context;
    const strategy = values.rollout === undefined ? undefined : strategyOf("--rollout", values.rollout);
    const release: ReleaseTime = values.stage || strategy !== undefined ? "staged" : "now";
    const chosen = planOptions(values);
    const message = note("--message", values.message ?? `apply ${chosen.source}`);
    const behalf = onBehalfOf(values["on-behalf-of"]);
    const catalog = readCatalogOf(values);
    const client = openClient(values, env);
    const proposal = await propose(client, catalog, chosen, release);
    const { json } = values;
    if (!json) printProposal(output, proposal);
    const { answer } = proposal;
    const planned = describeProposal(proposal);
    if (answer.changes.length === 0) {
      if (json) output.line(JSON.stringify({ changed: false, revision: answer.revision, plan: planned }));
      return exitCodes.ok;
    }
    if (!values.yes) await agreed(output, proposal);
    const described: Described = { message, source: chosen.source, release, ...behalf };
    const written = await commit(client, proposal, described);
    if (json)
      output.line(JSON.stringify({ changed: written.changed, revision: written.revision, plan: planned }));
    else output.line(writtenText(written));
    const hosts = [...written.staged, ...written.waiting.map(({ host }) => host)];
    if (strategy === undefined || hosts.length === 0) return exitCodes.ok;
    const { revision } = written;
    const started = await client.call("POST /v1/rollouts", {
      body: { revision, strategy, hosts, note: message, ...behalf },
    });
    if (!json) printSuperseded(output, started);
    return watchRollout(client, started.id, context, json);
  },
);

function writtenText({ revision, hosts, staged, pinned, waiting }: Committed): string {
  const held = [
    ...(staged.length === 0 ? [] : [`staged for ${plural(staged.length, "host")}`]),
    ...(pinned.length === 0 ? [] : [`withheld from ${plural(pinned.length, "pinned host")}`]),
    ...(waiting.length === 0 ? [] : [`waiting on ${plural(waiting.length, "host")}`]),
  ];
  const published = `published to ${plural(hosts.length, "host")}`;
  return `revision ${revision}: ${[...(held.length > 0 && hosts.length === 0 ? [] : [published]), ...held].join(", ")}`;
}

/** @throws Failure unless a person says yes */
async function agreed(output: Output, { answer }: Proposal): Promise<void> {
  if (output.confirm === undefined) throw new UsageError("nobody can be asked here: give --yes");
  if (!(await output.confirm(`Commit ${plural(answer.changes.length, "change")}?`)))
    throw new Failure("not confirmed; nothing was written");
}

interface Described {
  readonly message: string;
  readonly source: string;
  readonly release: ReleaseTime;
  readonly on_behalf_of?: string;
}

const attempts = 3;

/** Commits once, however often it has to be sent: the key makes a second arrival the first one's answer. */
async function commit(
  client: Client,
  { catalog, changes, allowed, answer }: Proposal,
  described: Described,
): Promise<Committed> {
  const body = { ...described, ...allowed, parent: answer.revision, changes: [...changes] };
  const headers = { "Idempotency-Key": randomUUID() };
  for (let attempt = 1; ; attempt += 1)
    try {
      return await inFiles(catalog, changes, () => client.call("POST /v1/commits", { body, headers }));
    } catch (error) {
      if (!(error instanceof Unreachable) || attempt === attempts) throw error;
    }
}
