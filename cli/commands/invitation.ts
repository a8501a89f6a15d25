/** `portcullis invitation list | revoke`: hosts that may still join by a one-time token (`portcullis enrol`). */
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";
import { listItems } from "../pages.ts";
import { table } from "../table.ts";

const options = { json: { type: "boolean" }, ...connectionOptions } as const;
const optionsHelp = `  --json              the answer as JSON
${connectionHelp}`;

export const invitationList: Command = {
  name: "invitation list",
  summary: "list hosts that are invited and have not joined yet",
  help: `portcullis invitation list

A host has one open invitation at most: a newer one ends it, and so does the revocation of the host's key.

${optionsHelp}`,
  async run(args, { env, output }) {
    const { values } = readArguments(args, options, 0);
    const items = await listItems(openClient(values satisfies Connection, env), "GET /v1/enrolments", {});
    const lines =
      values.json === true
        ? [JSON.stringify(items)]
        : table(
            ["ID", "HOST", "BY", "MADE", "EXPIRES"],
            items.map((one) => [one.id, one.host, one.created_by, one.created_at, one.expires_at]),
          );
    for (const line of lines) output.line(line);
    return exitCodes.ok;
  },
};

export const invitationRevoke: Command = {
  name: "invitation revoke",
  summary: "take an invitation back",
  help: `portcullis invitation revoke ID

The host can no longer join with it. One that was used is not taken back: revoke the host's key.

  portcullis invitation revoke 3f0c9a51d2e47b68

${optionsHelp}`,
  async run(args, { env, output }) {
    const { values, positionals } = readArguments(args, options, 1);
    const [id] = positionals;
    if (id === undefined) throw new UsageError("which one? portcullis invitation list shows their ids");
    // Whoever pastes the token itself must not find it in a log of requests.
    if (!/^[0-9a-f]{16}$/.test(id))
      throw new UsageError("an invitation is taken back by its id, not by its token");
    await openClient(values satisfies Connection, env).call("DELETE /v1/enrolments/:id", {
      params: { id },
    });
    output.line(values.json === true ? JSON.stringify({ id, revoked: true }) : `took back invitation ${id}`);
    return exitCodes.ok;
  },
};
