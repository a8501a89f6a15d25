/**
 * `portcullis apply`: makes the rows of a source what a catalog says, in one commit on the revision that was planned
 * on. When somebody else commits in between, nothing is written.
 */
import { exitCodes } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import type { ReleaseTime } from "#schema/intent.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { requireAgreement, commit, type Described, formatWritten } from "#cli/intent/commit.ts";
import { behalfOption, command, note, onBehalfOf } from "#cli/run/command.ts";
import { printProposal } from "#cli/intent/proposal-text.ts";
import {
  catalogOptions,
  describeProposal,
  planOptions,
  propose,
  readCatalogOf,
} from "#cli/intent/proposal.ts";
import { strategyOf } from "#cli/rollout/request.ts";
import { watchRollout } from "#cli/rollout/watch.ts";
import { printSuperseded } from "../rollout/start.ts";

const options = {
  ...catalogOptions,
  message: value("TEXT", "why, for the revision (default: apply of the source's name)", {
    short: "m",
  }),
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
    const strategy =
      values.rollout === undefined ? undefined : strategyOf("--rollout", values.rollout);
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
      if (json)
        output.line(JSON.stringify({ changed: false, revision: answer.revision, plan: planned }));
      return exitCodes.ok;
    }
    if (!values.yes) await requireAgreement(output, proposal);
    const described: Described = { message, source: chosen.source, release, ...behalf };
    const written = await commit(client, proposal, described);
    if (json)
      output.line(
        JSON.stringify({ changed: written.changed, revision: written.revision, plan: planned }),
      );
    else output.line(formatWritten(written));
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
