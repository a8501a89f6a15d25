/** `portcullis hosts revoke HOST`: a host's key is no longer good; whoever has it gets nothing any more. */
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag } from "#args/spec.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, jsonOption, print } from "#cli/run/command.ts";
import { Failure, type Output } from "#cli/text/output.ts";

export const hostsRevoke = command(
  {
    name: "hosts revoke",
    summary: "revoke a host's key",
    about: [
      "Within seconds nobody with this key is served or heard. The host keeps its rules until its lease ends, and then " +
        "does what its guard says: it closes, or holds. It stays declared, and joins anew by portcullis enrol.",
    ],
    positionals: { host: { value: "HOST", required: true } },
    options: {
      yes: flag("do not ask; needed where nobody can answer"),
      ...jsonOption,
      ...connectionOptions,
    },
    examples: ["hosts revoke web1"],
  },
  async ({ values, positionals: params }, context) => {
    const client = openClient(values, context.env);
    if (!values.yes) await requireAgreement(context.output, params.host);
    await client.call("DELETE /v1/hosts/:host/identity", { params });
    print(context, values.json, { host: params.host, revoked: true }, () => [
      `the key of ${params.host} is revoked; portcullis enrol ${params.host} lets it join anew`,
    ]);
    return exitCodes.ok;
  },
);

/** @throws Failure unless a person says yes */
async function requireAgreement(output: Output, host: string): Promise<void> {
  if (output.confirm === undefined) throw new UsageError("nobody can be asked here: give --yes");
  if (!(await output.confirm(`Revoke the key of ${host}?`)))
    throw new Failure("not confirmed; nothing was revoked");
}
