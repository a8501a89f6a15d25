/** `portcullis cosign`: what waits for operators' signatures, what it would change on each host, and signing it. */
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { formatCanonical } from "#schema/canonical.ts";
import type { PendingItem } from "#schema/cosign.ts";
import type { Root } from "#schema/tuf.ts";
import { type Client, connectionOptions, openClient } from "#cli/http/client.ts";
import { command, print } from "#cli/run/command.ts";
import { readToSign, sendSignature, type ToSign } from "#cli/root/pending-targets.ts";
import { Failure, type Output } from "#cli/text/output.ts";
import { listItems } from "#cli/http/pages.ts";
import { wholeHostLines } from "#cli/text/host.ts";
import { type Line, line, printLines } from "#cli/text/lines.ts";
import { opensLines } from "#cli/text/openings.ts";
import { loadRootFile, readPrivateKey } from "#cli/root/key-files.ts";
import { readRootInForce } from "#cli/root/plane.ts";
import { formatTable } from "#cli/text/table.ts";

const rootOption = value(
  "FILE",
  "a root.json that you keep, instead of believing the control plane which keys sign targets",
);

const waiting = (client: Client) => listItems(client, "GET /v1/cosign", {});
const rootOf = async (client: Client, path: string | undefined): Promise<Root> =>
  (path === undefined ? await readRootInForce(client) : loadRootFile(path)).signed;

export const cosignList = command(
  {
    name: "cosign list",
    summary: "list what waits for operators' signatures",
    about: ["Hosts whose next targets wait, and how many signatures they have."],
    positionals: {},
    options: { json: flag("the list as JSON"), ...connectionOptions },
    examples: ["cosign list"],
  },
  async ({ values }, context) => {
    const items = await waiting(openClient(values, context.env));
    print(context, values.json, items, () =>
      formatTable(
        ["HOST", "SEQ", "REVISION", "SIGNED", "SINCE"],
        items.map((item) => [item.host, item.seq, item.revision, signedText(item), item.at]),
      ),
    );
    return exitCodes.ok;
  },
);

const signedText = ({
  signed_by,
  threshold,
}: Pick<PendingItem, "signed_by" | "threshold">): string => `${signed_by.length} of ${threshold}`;

export const cosignShow = command(
  {
    name: "cosign show",
    summary: "show what a signature would change on a host",
    about: [
      "Scopes, rules and set elements that come and go against what targets keys signed for the host before, compared " +
        "here. Nothing is left out: no line means the same bytes.",
    ],
    positionals: { host: { value: "HOST", required: true } },
    options: {
      root: rootOption,
      json: flag("the same as JSON, with the exact text to be signed"),
      ...connectionOptions,
    },
    examples: ["cosign show web1 --root root.json"],
  },
  async ({ values, positionals }, { env, output, now }) => {
    const client = openClient(values, env);
    const shown = await readToSign(
      client,
      await rootOf(client, values.root),
      positionals.host,
      now(),
    );
    if (values.json) output.line(JSON.stringify(describe(shown)));
    else printLines(output, listSigningLines(shown));
    return exitCodes.ok;
  },
);

const describe = ({ detail, custom, expires, change, compared }: ToSign) => ({
  host: detail.host,
  seq: detail.seq,
  revision: custom.revision,
  mode: custom.mode,
  expires,
  signed_by: detail.signed_by,
  threshold: detail.threshold,
  compared,
  scopes: change.scopes,
  rules: change.rules,
  sets: change.sets,
  other: change.other,
  targets: detail.targets,
});

/** All that a signature would say, for people. */
export function listSigningLines({
  detail,
  custom,
  expires,
  change,
  compared,
}: ToSign): readonly Line[] {
  const { fleet, mode, revision, seq, ...rest } = custom;
  const notes = [
    ...(compared
      ? []
      : ["targets keys of this root signed nothing for it before: all of it is shown as new"]),
    ...(mode === "closed" ? ["the host is told to close"] : []),
  ];
  return [
    ...opensLines([change], {}),
    ...wholeHostLines(change),
    ...notes.map((note) => line("changed", `    ${note}`)),
    line(
      "dim",
      `    seq ${seq} of fleet ${fleet}, revision ${revision}, expires ${expires}; signed ${signedText(detail)}`,
    ),
    line("dim", `    also signed: ${formatCanonical(rest)}`),
  ];
}

export const cosignSign = command(
  {
    name: "cosign sign",
    summary: "sign what waits, after looking at it",
    about: [
      "Shows what would change on each host, asks, signs exactly that, and hands the signatures in. A host gets it as " +
        "soon as enough operators signed.",
    ],
    positionals: { hosts: { value: "HOST", many: true } },
    options: {
      key: value("KEYFILE", "a private key that the root names for targets; made by root key", {
        required: true,
      }),
      all: flag("every host that waits"),
      yes: flag("sign without asking"),
      root: rootOption,
      json: flag("what became of each as JSON"),
      ...connectionOptions,
    },
    examples: ["cosign sign web1 web2 --key erin.pem", "cosign sign --all --key erin.pem"],
  },
  async ({ values, positionals }, { env, output, now }) => {
    if (positionals.hosts.length > 0 === values.all)
      throw new UsageError("name hosts, or give --all");
    const key = readPrivateKey(values.key);
    const client = openClient(values, env);
    const root = await rootOf(client, values.root);
    if (!root.roles.targets.keyids.includes(key.keyid))
      throw new Failure(`${key.keyid} is no targets key of root version ${root.version}`);
    const hosts = values.all ? (await waiting(client)).map(({ host }) => host) : positionals.hosts;
    const shown: ToSign[] = [];
    for (const host of hosts) shown.push(await readToSign(client, root, host, now()));
    if (!values.json) for (const one of shown) printLines(output, listSigningLines(one));
    await requireAgreement(output, shown.length, values.yes);
    const done = [];
    for (const one of shown) done.push(await sendSignature(client, one, key));
    if (values.json) output.line(JSON.stringify(done));
    else
      for (const one of done)
        output.line(
          `${one.host} seq ${one.seq}: signed ${signedText(one)}${one.published ? ", published" : ""}`,
        );
    return exitCodes.ok;
  },
);

/** @throws Failure */
async function requireAgreement(
  output: Output,
  count: number,
  yes: boolean | undefined,
): Promise<void> {
  if (yes === true || count === 0) return;
  if (output.confirm === undefined)
    throw new Failure("nobody is here to ask; --yes signs without asking");
  if (!(await output.confirm(`Sign for ${count} host${count === 1 ? "" : "s"}?`)))
    throw new Failure("nothing was signed");
}
