/** `portcullis login | whoami`: which control plane is meant from now on, and as whom. */
import { resolve } from "node:path";
import { exitCodes, UsageError } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import { Key } from "#schema/primitives.ts";
import { connectionOptions, openClient, readConnection } from "#cli/http/client.ts";
import { defaultProfile, storeProfile } from "#cli/profile/profiles.ts";
import { command, jsonOption, print } from "#cli/run/command.ts";
import { formatProperties } from "#cli/text/table.ts";

export const login = command(
  {
    name: "login",
    summary: "remember a control plane, its CA and the file with your token",
    about: [
      "Asks it whose the token is, then stores URL, CA and the token file's path in ~/.config/portcullis/profiles.json, for you alone. Options and environment variables win over it. The token is not copied.",
    ],
    positionals: {},
    options: {
      ...jsonOption,
      ...connectionOptions,
      profile: value("NAME", `under which name (default: ${defaultProfile})`),
    },
    examples: [
      "login --url https://portcullis.example:8443 --token-file ./token",
      "login --profile lab --url https://lab --token-file ./token",
    ],
  },
  async ({ values }, context) => {
    const name = Key.safeParse(values.profile ?? defaultProfile);
    if (!name.success)
      throw new UsageError(`--profile: ${name.error.issues[0]?.message ?? "expected a name"}`);
    const given = { ...values, profile: undefined };
    const { url, tokenFile, ca } = readConnection(given, context.env);
    if (url === undefined) throw new UsageError("which control plane? give --url");
    if (tokenFile === undefined) throw new UsageError("which token? give --token-file");
    const who = await openClient(given, context.env).call("GET /v1/whoami", {});
    const profile = {
      url,
      token_file: resolve(tokenFile),
      ca: ca === undefined ? null : resolve(ca),
    };
    const path = storeProfile(name.data, profile, context.env);
    const stored = { profile: name.data, url, name: who.name, path };
    print(context, values.json, stored, () => [
      `logged in to ${url} as ${who.name}; stored as profile ${name.data} in ${path}`,
    ]);
    return exitCodes.ok;
  },
);

export const whoami = command(
  {
    name: "whoami",
    summary: "say whose token this is, what it may and until when",
    positionals: {},
    options: { ...jsonOption, ...connectionOptions },
    examples: ["whoami", "whoami --profile lab --json"],
  },
  async ({ values }, context) => {
    const client = openClient(values, context.env);
    const who = await client.call("GET /v1/whoami", {});
    print(context, values.json, who, () =>
      formatProperties([
        ["control plane", client.url],
        ["name", who.name],
        ["scopes", who.scopes.join(", ")],
        ["expires", who.expires_at ?? "never"],
      ]),
    );
    return exitCodes.ok;
  },
);
