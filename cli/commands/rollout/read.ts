/** `portcullis rollout list | show | hosts`: rollouts, one of them, and where each of its hosts stands. */
import { exitCodes } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import type { RolloutHost } from "#schema/api/rollouts.ts";
import { HostProgress, Phase, RolloutStatus } from "#schema/rollout.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, jsonOption, print, parseWholeNumber } from "#cli/run/command.ts";
import { listItems } from "#cli/http/pages.ts";
import { listRolloutLines, rolloutTable } from "#cli/rollout/text.ts";
import { formatTable } from "#cli/text/table.ts";
import { rolloutId, rolloutPlace } from "./start.ts";

const answering = { ...jsonOption, ...connectionOptions } as const;

export const rolloutList = command(
  {
    name: "rollout list",
    summary: "list rollouts, newest first",
    positionals: {},
    options: {
      status: value("STATUS", RolloutStatus.options.join(", "), { choices: RolloutStatus.options }),
      limit: value("N", "how many (default: 20)"),
      ...answering,
    },
    examples: ["rollout list", "rollout list --status running"],
  },
  async ({ values }, context) => {
    const limit = parseWholeNumber("--limit", values.limit ?? "20", 999_999);
    const query = { status: values.status };
    const views = await listItems(
      openClient(values, context.env),
      "GET /v1/rollouts",
      { query },
      limit,
    );
    print(context, values.json, views, () => rolloutTable(views));
    return exitCodes.ok;
  },
);

export const rolloutShow = command(
  {
    name: "rollout show",
    summary: "show one rollout as it stands",
    positionals: { id: rolloutPlace },
    options: answering,
    examples: ["rollout show 7"],
  },
  async ({ values, positionals }, context) => {
    const params = { id: rolloutId(positionals.id) };
    const view = await openClient(values, context.env).call("GET /v1/rollouts/:id", { params });
    print(context, values.json, view, () => listRolloutLines(view, context.now()));
    return exitCodes.ok;
  },
);

export const rolloutHosts = command(
  {
    name: "rollout hosts",
    summary: "list where each host of a rollout stands",
    positionals: { id: rolloutPlace },
    options: {
      standing: value("S", HostProgress.options.join(", "), { choices: HostProgress.options }),
      phase: value("PHASE", Phase.options.join(", "), { choices: Phase.options }),
      wave: value("N", "of this wave"),
      ...answering,
    },
    examples: ["rollout hosts 7 --standing failed"],
  },
  async ({ values, positionals }, context) => {
    const params = { id: rolloutId(positionals.id) };
    const { standing, phase } = values;
    const wave =
      values.wave === undefined ? undefined : parseWholeNumber("--wave", values.wave, 99_999);
    const asked = { params, query: { standing, phase, wave } };
    const items = await listItems(
      openClient(values, context.env),
      "GET /v1/rollouts/:id/hosts",
      asked,
    );
    print(context, values.json, items, () =>
      formatTable(
        ["HOST", "PHASE", "WAVE", "STANDING", "SEQ", "WHY", "IT REPORTED"],
        items.map((item) => [
          item.host,
          item.phase,
          item.wave,
          item.standing,
          item.seq,
          item.detail,
          formatReported(item),
        ]),
      ),
    );
    return exitCodes.ok;
  },
);

/** What the host itself said last: a standing such as `rolled_back` says what it was told, not what it did. */
function formatReported({ reported }: RolloutHost): string {
  if (reported === null) return "nothing yet";
  const holds =
    reported.applied_seq === null ? "holds nothing" : `holds seq ${reported.applied_seq}`;
  const refusal = reported.refusal === null ? "" : `, refused: ${reported.refusal}`;
  return `${reported.state}, ${holds}${refusal}`;
}
