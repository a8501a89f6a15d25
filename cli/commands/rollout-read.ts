/** `portcullis rollout list | show | hosts`: rollouts, one of them, and where each of its hosts stands. */
import type { RolloutHost } from "#schema/api/rollouts.ts";
import { HostStanding, Phase, RolloutStatus } from "#schema/rollout.ts";
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments, wholeNumber } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";
import { listItems } from "../pages.ts";
import { rolloutLines, rolloutTable } from "../rollout-text.ts";
import { table } from "../table.ts";
import { rolloutId } from "./rollout-start.ts";

const json = { json: { type: "boolean" } } as const;
const help = `  --json              the answer as JSON
${connectionHelp}`;

export const rolloutList: Command = {
  name: "rollout list",
  summary: "list rollouts, newest first",
  help: `portcullis rollout list

  --status STATUS     ${RolloutStatus.options.join(", ")}
  --limit N           how many (default: 20)
${help}`,
  async run(args, { env, output }) {
    const options = {
      status: { type: "string" },
      limit: { type: "string" },
      ...json,
      ...connectionOptions,
    } as const;
    const { values } = readArguments(args, options, 0);
    const limit = wholeNumber("--limit", values.limit ?? "20", 999_999);
    const query = { status: oneOf("--status", RolloutStatus, values.status) };
    const client = openClient(values satisfies Connection, env);
    const views = await listItems(client, "GET /v1/rollouts", { query }, limit);
    for (const text of values.json === true ? [JSON.stringify(views)] : rolloutTable(views))
      output.line(text);
    return exitCodes.ok;
  },
};

export const rolloutShow: Command = {
  name: "rollout show",
  summary: "show one rollout as it stands",
  help: `portcullis rollout show ID

${help}`,
  async run(args, { env, output, now }) {
    const { values, positionals } = readArguments(args, { ...json, ...connectionOptions } as const, 1);
    const id = rolloutId(positionals[0]);
    const client = openClient(values satisfies Connection, env);
    const view = await client.call("GET /v1/rollouts/:id", { params: { id } });
    for (const text of values.json === true ? [JSON.stringify(view)] : rolloutLines(view, now()))
      output.line(text);
    return exitCodes.ok;
  },
};

export const rolloutHosts: Command = {
  name: "rollout hosts",
  summary: "list where each host of a rollout stands",
  help: `portcullis rollout hosts ID

  --standing S        ${HostStanding.options.join(", ")}
  --phase PHASE       ${Phase.options.join(", ")}
  --wave N            of this wave
${help}`,
  async run(args, { env, output }) {
    const options = {
      standing: { type: "string" },
      phase: { type: "string" },
      wave: { type: "string" },
      ...json,
      ...connectionOptions,
    } as const;
    const { values, positionals } = readArguments(args, options, 1);
    const id = rolloutId(positionals[0]);
    const query = {
      standing: oneOf("--standing", HostStanding, values.standing),
      phase: oneOf("--phase", Phase, values.phase),
      wave: values.wave === undefined ? undefined : wholeNumber("--wave", values.wave, 99_999),
    };
    const client = openClient(values satisfies Connection, env);
    const items = await listItems(client, "GET /v1/rollouts/:id/hosts", { params: { id }, query });
    const lines = table(
      ["HOST", "PHASE", "WAVE", "STANDING", "SEQ", "WHY", "IT REPORTED"],
      items.map((item) => [
        item.host,
        item.phase,
        item.wave,
        item.standing,
        item.seq,
        item.detail,
        reportedText(item),
      ]),
    );
    for (const text of values.json === true ? [JSON.stringify(items)] : lines) output.line(text);
    return exitCodes.ok;
  },
};

/** What the host itself said last: a standing such as `rolled_back` says what it was told, not what it did. */
function reportedText({ reported }: RolloutHost): string {
  if (reported === null) return "nothing yet";
  const holds = reported.applied_seq === null ? "holds nothing" : `holds seq ${reported.applied_seq}`;
  const refusal = reported.refusal === null ? "" : `, refused: ${reported.refusal}`;
  return `${reported.state}, ${holds}${refusal}`;
}

/** @throws UsageError when it is given and none of them */
function oneOf(
  option: string,
  known: { readonly options: readonly string[] },
  text: string | undefined,
): string | undefined {
  if (text === undefined || known.options.includes(text)) return text;
  throw new UsageError(`${option} is one of ${known.options.join(", ")}`);
}
