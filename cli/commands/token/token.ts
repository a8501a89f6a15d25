/** `portcullis token create | list | revoke`: who may call the control plane. A token is shown once and kept nowhere. */
import * as z from "zod";
import { exitCodes, UsageError } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import { TokenScope } from "#schema/api/tokens.ts";
import { Key } from "#schema/primitives.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, jsonOption, print } from "#cli/run/command.ts";
import { listItems } from "#cli/http/pages.ts";
import { formatTable } from "#cli/text/table.ts";

const answering = { ...jsonOption, ...connectionOptions } as const;

export const tokenCreate = command(
  {
    name: "token create",
    summary: "make a token; it is shown this once",
    about: [
      "Prints the token and nothing else on stdout. It can do no more and live no longer than the token that makes it.",
    ],
    positionals: {},
    options: {
      name: value("NAME", "what it is for", { required: true }),
      scope: value("SCOPE", `${TokenScope.options.join(", ")}; may be repeated`, {
        choices: TokenScope.options,
        many: true,
        required: true,
      }),
      expires: value("WHEN", "a UTC time such as 2027-01-01T00:00:00Z, or from now: 12h, 90d"),
      ...answering,
    },
    examples: ["token create --name ci --scope intent:write --expires 90d"],
  },
  async ({ values }, context) => {
    const name = Key.safeParse(values.name);
    if (!name.success)
      throw new UsageError(`--name: ${name.error.issues[0]?.message ?? "expected a name"}`);
    const expires =
      values.expires === undefined
        ? {}
        : { expires_at: parseExpiry(values.expires, context.now()) };
    const body = { name: name.data, scopes: [...values.scope], ...expires };
    const made = await openClient(values, context.env).call("POST /v1/tokens", { body });
    print(context, values.json, made, () => [made.token]);
    return exitCodes.ok;
  },
);

/** Milliseconds. */
const units = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @param now milliseconds since the Unix epoch. @throws UsageError */
function parseExpiry(text: string, now: number): string {
  const [, count, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  if (unit === "m" || unit === "h" || unit === "d")
    return new Date(now + Number(count) * units[unit]).toISOString();
  if (z.iso.datetime().safeParse(text).success) return text;
  throw new UsageError("--expires is a UTC time, or a number of m, h or d");
}

export const tokenList = command(
  {
    name: "token list",
    summary: "list tokens, without their secrets",
    about: [
      "The first operator token (admin) is no row: it is the control plane's setting, and ends when",
      "that changes and the control plane is started anew.",
    ],
    positionals: {},
    options: answering,
    examples: ["token list"],
  },
  async ({ values }, context) => {
    const items = await listItems(openClient(values, context.env), "GET /v1/tokens", {});
    print(context, values.json, items, () =>
      formatTable(
        ["ID", "NAME", "SCOPES", "BY", "EXPIRES", "REVOKED"],
        items.map((t) => [
          t.id,
          t.name,
          t.scopes.join(","),
          t.created_by,
          t.expires_at,
          t.revoked_at,
        ]),
      ),
    );
    return exitCodes.ok;
  },
);

export const tokenRevoke = command(
  {
    name: "token revoke",
    summary: "revoke a token",
    about: ["It ends at once, and so do the tokens that it made."],
    positionals: {
      id: {
        value: "ID",
        required: true,
        ask: "which token? portcullis token list shows their ids",
      },
    },
    options: answering,
    examples: ["token revoke a1b2c3d4e5f60718"],
  },
  async ({ values, positionals }, context) => {
    const { id } = positionals;
    // Whoever pastes the token itself must not find it in a log of requests.
    if (!/^[a-z0-9]{1,32}$/.test(id))
      throw new UsageError("a token is revoked by its id, not by itself");
    const revoked = await openClient(values, context.env).call("DELETE /v1/tokens/:id", {
      params: { id },
    });
    print(context, values.json, revoked, () => [`revoked ${revoked.name} (${revoked.id})`]);
    return exitCodes.ok;
  },
);
