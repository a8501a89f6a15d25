/** `portcullis rollout start | watch`: staged revisions on their way to hosts, and how that goes. */
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import type { StartedRollout } from "#schema/api/rollouts.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import {
  behalfOption,
  command,
  note,
  onBehalfOf,
  parseRevisionNumber,
  parseWholeNumber,
} from "#cli/run/command.ts";
import type { Output } from "#cli/text/output.ts";
import { gateOptions, gatesOf, strategyHelp, strategyOf } from "#cli/rollout/request.ts";
import { listRolloutLines } from "#cli/rollout/text.ts";
import { watchExits, watchRollout } from "#cli/rollout/watch.ts";

export function printSuperseded(output: Output, { supersedes }: StartedRollout): void {
  for (const id of supersedes) output.line(`takes over what rollout ${id} has not finished`);
}

export const rolloutStart = command(
  {
    name: "rollout start",
    summary: "bring staged revisions to hosts, wave by wave",
    about: [
      "Starts a rollout of all that is withheld from hosts. A host that another rollout has not finished is taken over.",
    ],
    positionals: {},
    options: {
      strategy: value("S", strategyHelp),
      revision: value("R", "nothing newer than this (default: the newest)"),
      host: value("HOST", "only this host; may be repeated", { many: true }),
      reason: value("TEXT", "why; needed for an emergency"),
      emergency: flag(
        "everybody at once without waves, after somebody else ran portcullis rollout approve",
      ),
      wait: flag("watch it as portcullis rollout watch does, and end as that does"),
      ...gateOptions,
      "on-behalf-of": behalfOption,
      json: flag("the rollout as JSON; with --wait one more line for each change"),
      ...connectionOptions,
    },
    examples: [
      "rollout start --wait",
      "rollout start --strategy labels:env=staging,env=prod --bake 30m",
      "rollout start --emergency --reason 'a leaked key'",
    ],
    exits: `0 started; with --wait: ${watchExits}`,
  },
  async ({ values }, context) => {
    const { revision, host: hosts, reason, emergency, json } = values;
    if (emergency && reason === undefined) throw new UsageError("an emergency needs --reason");
    const request = {
      note: note("--reason", reason ?? "portcullis rollout start"),
      emergency,
      gates: gatesOf(values),
      ...(values.strategy === undefined
        ? {}
        : { strategy: strategyOf("--strategy", values.strategy) }),
      ...(revision === undefined ? {} : { revision: parseRevisionNumber(revision) }),
      ...(hosts.length === 0 ? {} : { hosts: [...hosts] }),
      ...onBehalfOf(values["on-behalf-of"]),
    };
    const client = openClient(values, context.env);
    const { output } = context;
    const started = await client.call("POST /v1/rollouts", { body: request });
    if (json) output.line(JSON.stringify(started));
    else printSuperseded(output, started);
    if (values.wait) return watchRollout(client, started.id, context, json);
    if (!json) for (const text of listRolloutLines(started, context.now())) output.line(text);
    return exitCodes.ok;
  },
);

/** The number of a rollout, as an argument. */
export const rolloutPlace = {
  value: "ID",
  required: true,
  ask: "which rollout? portcullis rollout list shows their ids",
} as const;

/** @throws UsageError */
export const rolloutId = (text: string): number =>
  parseWholeNumber("a rollout's id", text, 999_999);

export const rolloutWatch = command(
  {
    name: "rollout watch",
    summary: "follow a rollout until it is done or stopped",
    about: ["On a terminal a table that follows the rollout; elsewhere one line for each change."],
    positionals: { id: rolloutPlace },
    options: { json: flag("the rollout as JSON, one line for each change"), ...connectionOptions },
    examples: ["rollout watch 7"],
    exits: watchExits,
  },
  async ({ values, positionals }, context) =>
    watchRollout(openClient(values, context.env), rolloutId(positionals.id), context, values.json),
);
