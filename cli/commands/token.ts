/** `portcullis token create | list | revoke`: who may call the control plane. A token is shown once and kept nowhere. */
import * as z from "zod";
import { Key } from "#schema/primitives.ts";
import { TokenScope } from "#schema/api/tokens.ts";
import { type Connection, connectionHelp, connectionOptions, openClient } from "../client.ts";
import { type Command, readArguments } from "../command.ts";
import { exitCodes, UsageError } from "../output.ts";
import { listItems } from "../pages.ts";
import { table } from "../table.ts";

const listOptions = { json: { type: "boolean" }, ...connectionOptions } as const;
const listHelp = `  --json              the answer as JSON
${connectionHelp}`;

export const tokenCreate: Command = {
  name: "token create",
  summary: "make a token; it is shown this once",
  help: `portcullis token create --name NAME --scope SCOPE [--scope SCOPE ...]

Prints the token and nothing else on stdout. It can do no more and live no longer than the token that makes it.

  --name NAME         what it is for
  --scope SCOPE       ${TokenScope.options.join(", ")}
  --expires WHEN      a UTC time such as 2027-01-01T00:00:00Z, or from now: 12h, 90d
${listHelp}`,
  async run(args, { env, output, now }) {
    const options = {
      name: { type: "string" },
      scope: { type: "string", multiple: true },
      expires: { type: "string" },
      ...listOptions,
    } as const;
    const { values } = readArguments(args, options, 0);
    const name = Key.safeParse(values.name);
    if (!name.success) throw new UsageError(`--name: ${name.error.issues[0]?.message ?? "expected a name"}`);
    const scopes = z.array(TokenScope).min(1).safeParse(values.scope);
    if (!scopes.success) throw new UsageError(`--scope is one of ${TokenScope.options.join(", ")}`);
    const expires = values.expires === undefined ? {} : { expires_at: expiry(values.expires, now()) };
    const client = openClient(values satisfies Connection, env);
    const body = { name: name.data, scopes: scopes.data, ...expires };
    const made = await client.call("POST /v1/tokens", { body });
    output.line(values.json === true ? JSON.stringify(made) : made.token);
    return exitCodes.ok;
  },
};

/** Milliseconds. */
const units = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @param now milliseconds since the Unix epoch. @throws UsageError */
function expiry(text: string, now: number): string {
  const [, count, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  if (unit === "m" || unit === "h" || unit === "d")
    return new Date(now + Number(count) * units[unit]).toISOString();
  if (z.iso.datetime().safeParse(text).success) return text;
  throw new UsageError("--expires is a UTC time, or a number of m, h or d");
}

export const tokenList: Command = {
  name: "token list",
  summary: "list tokens, without their secrets",
  help: `portcullis token list

${listHelp}`,
  async run(args, { env, output }) {
    const { values } = readArguments(args, listOptions, 0);
    const items = await listItems(openClient(values satisfies Connection, env), "GET /v1/tokens", {});
    const lines =
      values.json === true
        ? [JSON.stringify(items)]
        : table(
            ["ID", "NAME", "SCOPES", "BY", "EXPIRES", "REVOKED"],
            items.map((t) => [t.id, t.name, t.scopes.join(","), t.created_by, t.expires_at, t.revoked_at]),
          );
    for (const text of lines) output.line(text);
    return exitCodes.ok;
  },
};

export const tokenRevoke: Command = {
  name: "token revoke",
  summary: "revoke a token",
  help: `portcullis token revoke ID

${listHelp}`,
  async run(args, { env, output }) {
    const { values, positionals } = readArguments(args, listOptions, 1);
    const [id] = positionals;
    if (id === undefined) throw new UsageError("which token? portcullis token list shows their ids");
    // Whoever pastes the token itself must not find it in a log of requests.
    if (!/^[a-z0-9]{1,32}$/.test(id)) throw new UsageError("a token is revoked by its id, not by itself");
    const client = openClient(values satisfies Connection, env);
    const revoked = await client.call("DELETE /v1/tokens/:id", { params: { id } });
    output.line(values.json === true ? JSON.stringify(revoked) : `revoked ${revoked.name} (${revoked.id})`);
    return exitCodes.ok;
  },
};
