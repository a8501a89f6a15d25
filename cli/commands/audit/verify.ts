/** `portcullis audit verify`: whether the chain, and the rows of each commit, are as they were written. */
import { exitCodes } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, jsonOption, print } from "#cli/run/command.ts";
import { Failure } from "#cli/text/output.ts";
import { verifyAudit } from "#cli/http/audit.ts";

export const auditVerify = command(
  {
    name: "audit verify",
    summary: "recompute the audit chain and the rows of each commit",
    about: [
      "Ends with 1 where a link, or the rows of a commit, are not as they were written. Keep the",
      "last seq and hash elsewhere: with --expect, a chain that was cut or written anew is seen too.",
    ],
    positionals: {},
    options: {
      expect: value("SEQ:HASH", "a link that was printed before and must still be there"),
      ...jsonOption,
      ...connectionOptions,
    },
    examples: ["audit verify", "audit verify --json", "audit verify --expect 12:HASH"],
  },
  async ({ values }, context) => {
    const expected = values.expect === undefined ? undefined : parseLink(values.expect);
    const found = await verifyAudit(openClient(values, context.env), expected);
    print(context, values.json, found, () =>
      found.ok
        ? [
            `the chain is whole to ${found.seq}:${found.hash}`,
            ...(found.unproven === 0
              ? []
              : [
                  `${found.unproven} commits are older than digests of their rows: only their links are proven`,
                ]),
          ]
        : [`broken at ${found.seq}: ${found.message}`],
    );
    return found.ok ? exitCodes.ok : exitCodes.failed;
  },
);

/** @throws Failure */
function parseLink(text: string): { readonly seq: number; readonly hash: string } {
  const [, seq, hash] = /^([1-9][0-9]{0,14}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new Failure("--expect: expected SEQ:HASH as `audit verify` printed them, such as 12:0f…");
  return { seq: Number(seq), hash };
}
