/** `portcullis invitation list | revoke`: hosts that may still join by a one-time token (`portcullis enrol`). */
import { exitCodes, UsageError } from "#args/exits.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, jsonOption, print } from "#cli/run/command.ts";
import { listItems } from "#cli/http/pages.ts";
import { formatTable } from "#cli/text/table.ts";

const options = { ...jsonOption, ...connectionOptions } as const;

export const invitationList = command(
  {
    name: "invitation list",
    summary: "list hosts that are invited and have not joined yet",
    about: [
      "A host has one open invitation at most: a newer one ends it, and so does the revocation of the host's key.",
    ],
    positionals: {},
    options,
    examples: ["invitation list"],
  },
  async ({ values }, context) => {
    const items = await listItems(openClient(values, context.env), "GET /v1/enrolments", {});
    print(context, values.json, items, () =>
      formatTable(
        ["ID", "HOST", "BY", "MADE", "EXPIRES"],
        items.map((one) => [one.id, one.host, one.created_by, one.created_at, one.expires_at]),
      ),
    );
    return exitCodes.ok;
  },
);

export const invitationRevoke = command(
  {
    name: "invitation revoke",
    summary: "take an invitation back",
    about: [
      "The host can no longer join with it. One that was used is not taken back: revoke the host's key.",
    ],
    positionals: {
      id: {
        value: "ID",
        required: true,
        ask: "which one? portcullis invitation list shows their ids",
      },
    },
    options,
    examples: ["invitation revoke 3f0c9a51d2e47b68"],
  },
  async ({ values, positionals }, context) => {
    const { id } = positionals;
    // Whoever pastes the token itself must not find it in a log of requests.
    if (!/^[0-9a-f]{16}$/.test(id))
      throw new UsageError("an invitation is taken back by its id, not by its token");
    await openClient(values, context.env).call("DELETE /v1/enrolments/:id", { params: { id } });
    print(context, values.json, { id, revoked: true }, () => [`took back invitation ${id}`]);
    return exitCodes.ok;
  },
);
