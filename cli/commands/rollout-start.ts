/** `portcullis rollout start | watch`: staged revisions on their way to hosts, and how that goes. */
import type { StartedRollout } from "#schema/api/rollouts.ts";
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, note, readArguments, wholeNumber } from "../command.ts";
import { exitCodes, type Output, UsageError } from "../output.ts";
import { gateHelp, gateOptions, gatesOf, strategyHelp, strategyOf } from "../rollout-request.ts";
import { rolloutLines } from "../rollout-text.ts";
import { exitHelp, watchRollout } from "../rollout.ts";
import { revisionNumber } from "./revisions.ts";

export function printSuperseded(output: Output, { supersedes }: StartedRollout): void {
  for (const id of supersedes) output.line(`takes over what rollout ${id} has not finished`);
}

const startOptions = {
  strategy: { type: "string" },
  revision: { type: "string" },
  host: { type: "string", multiple: true },
  reason: { type: "string" },
  emergency: { type: "boolean" },
  wait: { type: "boolean" },
  "on-behalf-of": { type: "string" },
  json: { type: "boolean" },
  ...gateOptions,
  ...connectionOptions,
} as const;

export const rolloutStart: Command = {
  name: "rollout start",
  summary: "bring staged revisions to hosts, wave by wave",
  help: `portcullis rollout start

Starts a rollout of all that is withheld from hosts. A host that another rollout has not finished is taken over.

  --strategy S        ${strategyHelp}
  --revision R        nothing newer than this (default: the newest)
  --host HOST         only this host; may be repeated
  --reason TEXT       why; needed for an emergency
  --emergency         everybody at once without waves, after somebody else ran portcullis rollout approve
  --wait              watch it as portcullis rollout watch does, and end as that does
${gateHelp}
  --on-behalf-of WHO  for whom; a claim, recorded beside the token's own name
  --json              the rollout as JSON; with --wait one more line for each change
${connectionHelp}

With --wait: ${exitHelp}`,
  async run(args, context) {
    const { values } = readArguments(args, startOptions, 0);
    const { revision, host: hosts, reason, emergency = false, json = false } = values;
    if (emergency && reason === undefined) throw new UsageError("an emergency needs --reason");
    const behalf = values["on-behalf-of"];
    const request = {
      note: note("--reason", reason ?? "portcullis rollout start"),
      emergency,
      gates: gatesOf(values),
      ...(values.strategy === undefined ? {} : { strategy: strategyOf("--strategy", values.strategy) }),
      ...(revision === undefined ? {} : { revision: revisionNumber(revision) }),
      ...(hosts === undefined ? {} : { hosts }),
      ...(behalf === undefined ? {} : { on_behalf_of: note("--on-behalf-of", behalf) }),
    };
    const client = openClient(values satisfies Connection, context.env);
    const { output } = context;
    const started = await client.call("POST /v1/rollouts", { body: request });
    if (json) output.line(JSON.stringify(started));
    else printSuperseded(output, started);
    if (values.wait === true) return watchRollout(client, started.id, context, json);
    if (!json) for (const text of rolloutLines(started, context.now())) output.line(text);
    return exitCodes.ok;
  },
};

/** Reads the number of a rollout. @throws UsageError */
export function rolloutId(text: string | undefined): number {
  if (text === undefined) throw new UsageError("which rollout? portcullis rollout list shows their ids");
  return wholeNumber("a rollout's id", text, 999_999);
}

export const rolloutWatch: Command = {
  name: "rollout watch",
  summary: "follow a rollout until it is done or stopped",
  help: `portcullis rollout watch ID

On a terminal a table that follows the rollout; elsewhere one line for each change.
${exitHelp}

  --json              the rollout as JSON, one line for each change
${connectionHelp}`,
  async run(args, context) {
    const options = { json: { type: "boolean" }, ...connectionOptions } as const;
    const { values, positionals } = readArguments(args, options, 1);
    const id = rolloutId(positionals[0]);
    const client = openClient(values satisfies Connection, context.env);
    return watchRollout(client, id, context, values.json === true);
  },
};
