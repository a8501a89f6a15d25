/** `portcullis cosign`: what waits for operators' signatures, what it would change on each host, and signing it. */
import { canonicalText } from "#schema/canonical.ts";
import type { PendingItem } from "#schema/cosign.ts";
import type { Root } from "#schema/tuf.ts";
import { type Client, type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { readToSign, sendSignature, type ToSign } from "../cosign.ts";
import { exitCodes, Failure, type Output, UsageError } from "../output.ts";
import { listItems } from "../pages.ts";
import { type Line, line, printLines, wholeHostLines } from "../proposal-text.ts";
import { loadRootFile, readPrivateKey } from "../root-key-files.ts";
import { rootInForce } from "../root-plane.ts";
import { table } from "../table.ts";

const options = { root: { type: "string" }, json: { type: "boolean" }, ...connectionOptions } as const;
const rootHelp = `  --root FILE         a root.json that you keep, instead of believing the control plane which keys sign targets`;

const waiting = (client: Client) => listItems(client, "GET /v1/cosign", {});
const rootOf = async (client: Client, path: string | undefined): Promise<Root> =>
  (path === undefined ? await rootInForce(client) : loadRootFile(path)).signed;

export const cosignList: Command = {
  name: "cosign list",
  summary: "list what waits for operators' signatures",
  help: `portcullis cosign list

Hosts whose next targets wait, and how many signatures they have.

  --json              the list as JSON
${connectionHelp}`,
  async run(args, { env, output }) {
    const { values } = readArguments(args, { json: options.json, ...connectionOptions } as const, 0);
    const items = await waiting(openClient(values satisfies Connection, env));
    if (values.json === true) output.line(JSON.stringify(items));
    else
      for (const text of table(
        ["HOST", "SEQ", "REVISION", "SIGNED", "SINCE"],
        items.map((item) => [item.host, item.seq, item.revision, signedText(item), item.at]),
      ))
        output.line(text);
    return exitCodes.ok;
  },
};

const signedText = ({ signed_by, threshold }: Pick<PendingItem, "signed_by" | "threshold">): string =>
  `${signed_by.length} of ${threshold}`;

export const cosignShow: Command = {
  name: "cosign show",
  summary: "show what a signature would change on a host",
  help: `portcullis cosign show HOST

Scopes, rules and set elements that come and go against what targets keys signed for the host before, compared here.
Nothing is left out: no line means the same bytes.

${rootHelp}
  --json              the same as JSON, with the exact text to be signed
${connectionHelp}`,
  async run(args, { env, output }) {
    const { values, positionals } = readArguments(args, options, 1);
    const [host] = positionals;
    if (host === undefined) throw new UsageError("which host?");
    const client = openClient(values satisfies Connection, env);
    const shown = await readToSign(client, await rootOf(client, values.root), host);
    if (values.json === true) output.line(JSON.stringify(describe(shown)));
    else printLines(output, signingLines(shown));
    return exitCodes.ok;
  },
};

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
export function signingLines({ detail, custom, expires, change, compared }: ToSign): readonly Line[] {
  const { fleet, mode, revision, seq, ...rest } = custom;
  const notes = [
    ...(compared
      ? []
      : ["targets keys of this root signed nothing for it before: all of it is shown as new"]),
    ...(mode === "closed" ? ["the host is told to close"] : []),
  ];
  return [
    ...wholeHostLines(change),
    ...notes.map((note) => line("changed", `    ${note}`)),
    line(
      "dim",
      `    seq ${seq} of fleet ${fleet}, revision ${revision}, expires ${expires}; signed ${signedText(detail)}`,
    ),
    line("dim", `    also signed: ${canonicalText(rest)}`),
  ];
}

export const cosignSign: Command = {
  name: "cosign sign",
  summary: "sign what waits, after looking at it",
  help: `portcullis cosign sign HOST [HOST ...] --key KEYFILE
portcullis cosign sign --all --key KEYFILE

Shows what would change on each host, asks, signs exactly that, and hands the signatures in. A host gets it as soon as
enough operators signed.

  --key KEYFILE       a private key that the root names for targets; made by root key
  --all               every host that waits
  --yes               sign without asking
${rootHelp}
  --json              what became of each as JSON
${connectionHelp}`,
  async run(args, { env, output }) {
    const more = { key: { type: "string" }, all: { type: "boolean" }, yes: { type: "boolean" } } as const;
    const { values, positionals } = readArguments(args, { ...options, ...more } as const, hostsMax);
    if (values.key === undefined) throw new UsageError("--key is needed");
    if (positionals.length > 0 === (values.all === true)) throw new UsageError("name hosts, or give --all");
    const key = readPrivateKey(values.key);
    const client = openClient(values satisfies Connection, env);
    const root = await rootOf(client, values.root);
    if (!root.roles.targets.keyids.includes(key.keyid))
      throw new Failure(`${key.keyid} is no targets key of root version ${root.version}`);
    const hosts = values.all === true ? (await waiting(client)).map(({ host }) => host) : positionals;
    const shown: ToSign[] = [];
    for (const host of hosts) shown.push(await readToSign(client, root, host));
    if (values.json !== true) for (const one of shown) printLines(output, signingLines(one));
    await agreed(output, shown.length, values.yes);
    const done = [];
    for (const one of shown) done.push(await sendSignature(client, one, key));
    if (values.json === true) output.line(JSON.stringify(done));
    else
      for (const one of done)
        output.line(
          `${one.host} seq ${one.seq}: signed ${signedText(one)}${one.published ? ", published" : ""}`,
        );
    return exitCodes.ok;
  },
};

const hostsMax = 1000;

/** @throws Failure */
async function agreed(output: Output, count: number, yes: boolean | undefined): Promise<void> {
  if (yes === true || count === 0) return;
  if (output.confirm === undefined) throw new Failure("nobody is here to ask; --yes signs without asking");
  if (!(await output.confirm(`Sign for ${count} host${count === 1 ? "" : "s"}?`)))
    throw new Failure("nothing was signed");
}
