/** `portcullis member list | show | set | delete`: an overlay's clients, one by one, as a VPN's hooks would say them. */
import { exitCodes } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, jsonOption, print } from "#cli/run/command.ts";
import { listItems } from "#cli/http/pages.ts";
import { formatRow, writeAsked, writeOptions } from "#cli/intent/row-write.ts";
import { formatProperties, formatTable } from "#cli/text/table.ts";

const answering = { ...jsonOption, ...connectionOptions } as const;
const overlay = { value: "OVERLAY", required: true } as const;
const member = { overlay, cn: { value: "CN", required: true } } as const;

export const memberList = command(
  {
    name: "member list",
    summary: "list an overlay's members",
    positionals: { overlay },
    options: answering,
    examples: ["member list office"],
  },
  async ({ values, positionals: params }, context) => {
    const client = openClient(values, context.env);
    const items = await listItems(client, "GET /v1/overlays/:overlay/members", { params });
    print(context, values.json, items, () =>
      formatTable(
        ["MEMBER", "GROUP", "ADDRESSES", "REVISION", "BY", "FOR"],
        items.map(({ key, body, revision, by, on_behalf_of }) => [
          key,
          body.group,
          body.addresses.join(", "),
          revision,
          by,
          on_behalf_of,
        ]),
      ),
    );
    return exitCodes.ok;
  },
);

export const memberShow = command(
  {
    name: "member show",
    summary: "show one member of an overlay",
    positionals: member,
    options: answering,
    examples: ["member show office carol"],
  },
  async ({ values, positionals: params }, context) => {
    const client = openClient(values, context.env);
    const item = await client.call("GET /v1/overlays/:overlay/members/:cn", { params });
    print(context, values.json, item, () =>
      formatProperties([
        ["member", item.key],
        ["group", item.body.group],
        ["addresses", item.body.addresses.join(", ")],
        ["host", item.body.host ?? null],
        ["revision", item.revision],
        ["at", item.at],
        ["by", item.by],
        ["for", item.on_behalf_of],
        ["source", item.source],
      ]),
    );
    return exitCodes.ok;
  },
);

export const memberSet = command(
  {
    name: "member set",
    summary: "declare a member of an overlay, or change its group and addresses",
    about: ["Says all of the member: addresses and a host that are left out are taken away."],
    positionals: member,
    options: {
      group: value("GROUP", "the group that it is in", { required: true }),
      address: value("ADDRESS", "an address of its own; may be repeated", { many: true }),
      host: value("HOST", "the declared host that it is, whose addresses it may have"),
      ...writeOptions,
      ...answering,
    },
    examples: [
      "member set office carol --group dev --address 10.8.0.12",
      "member set office carol --group ops --if-revision 12 --stage",
    ],
  },
  async ({ values, positionals: params }, context) => {
    const { group, address, host } = values;
    const body = { group, addresses: [...address], ...(host === undefined ? {} : { host }) };
    const asked = { params, body, ...writeAsked(values) };
    const client = openClient(values, context.env);
    const written = await client.call("PUT /v1/overlays/:overlay/members/:cn", asked);
    print(context, values.json, written, () => [formatRow(written)]);
    return exitCodes.ok;
  },
);

export const memberDelete = command(
  {
    name: "member delete",
    summary: "delete a member of an overlay",
    positionals: member,
    options: { ...writeOptions, ...answering },
    examples: ["member delete office carol -m 'left the company'"],
  },
  async ({ values, positionals: params }, context) => {
    const client = openClient(values, context.env);
    const asked = { params, ...writeAsked(values) };
    const written = await client.call("DELETE /v1/overlays/:overlay/members/:cn", asked);
    print(context, values.json, written, () => [formatRow(written)]);
    return exitCodes.ok;
  },
);
