/** Chains of others beside ours: one that drops what we accept is named, as nft lists it; one that does not is not. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { type Exec, spawnExec } from "#agent/process/spawn.ts";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { ForeignDrop } from "#schema/wire.ts";
import { groupsRuleset, mustRender, rulesetOf } from "#test/support/rulesets.ts";

const namespace = makeNamespaceName(newPrefix(), "foreign");
const spawned = spawnExec({ prefix: inNamespace(namespace) });
const hostOnly = mustRender(rulesetOf({ scopes: [{ kind: "host" }] }));
const overlays = mustRender(groupsRuleset({ dev: ["10.8.0.2"] }));

beforeAll(() => makeNamespaces([namespace]));
afterAll(() => removeNamespaces([namespace]));

const base = (hook: string, policy: string, body = "", priority = "0"): string =>
  `table ip theirs {\n chain leave { counter return\n }\n chain end { log prefix "gone " counter drop\n }\n chain open { accept\n }\n` +
  ` chain CHAIN { type filter hook ${hook} priority ${priority}; policy ${policy};\n${body}\n }\n}\n`;

const found = async (theirs: string, program = overlays): Promise<unknown> => {
  await must(inNamespace(namespace, "nft", "-f", "-"), { input: `flush ruleset\n${theirs}` });
  const nft = openNft(spawned);
  expect(nft.others().drops).toBeNull();
  await nft.apply(program);
  return nft.others().drops;
};
const named = (by: "policy" | "rule", hook = "forward", priority = 0) => [
  { family: "ip", table: "theirs", chain: "CHAIN", hook, priority, by },
];

describe("a chain of somebody else's is named", () => {
  it.each([
    ["whose policy drops", base("forward", "drop"), "policy"],
    [
      "whose policy drops what comes back from a chain",
      base("forward", "drop", "jump leave"),
      "policy",
    ],
    ["that ends in a drop", base("forward", "accept", "tcp dport 22 accept\ncounter drop"), "rule"],
    ["that ends in a reject", base("forward", "accept", "tcp dport 22 accept\nreject"), "rule"],
    [
      "that goes to one that drops",
      base("forward", "accept", "tcp dport 22 accept\ngoto end"),
      "rule",
    ],
    [
      "that jumps to one that drops",
      base("forward", "accept", "jump leave\njump end\naccept"),
      "rule",
    ],
  ] as const)("%s", async (_, theirs, by) => {
    expect(await found(theirs)).toEqual(named(by));
  });

  it.each([-200, 300])("at priority %i", async (priority) => {
    expect(await found(base("forward", "drop", "", `${priority}`))).toEqual(
      named("policy", "forward", priority),
    );
  });

  it("at the input hook, and in every family", async () => {
    const chain = "chain c { type filter hook input priority 5; policy drop;\n }";
    const theirs = ["inet", "ip", "ip6"].map(
      (family) => `table ${family} f_${family} {\n${chain}\n}\n`,
    );
    const drops = ForeignDrop.array().parse(await found(theirs.join(""), hostOnly));
    expect(drops.map(({ family, hook }) => [family, hook])).toEqual([
      ["inet", "input"],
      ["ip", "input"],
      ["ip6", "input"],
    ]);
  });

  it("by the first twenty, where there are more", async () => {
    const many = Array.from(
      { length: 25 },
      (_, i) => `chain c${i} { type filter hook forward priority ${i}; policy drop;\n }`,
    );
    expect(await found(`table inet many {\n${many.join("\n")}\n}\n`)).toHaveLength(20);
  });
});

describe("a chain of somebody else's is not named", () => {
  it.each([
    ["that accepts", base("forward", "accept")],
    ["that drops some packets only", base("forward", "accept", "ip saddr 192.0.2.1 drop")],
    ["that drops above a rate", base("forward", "accept", "limit rate over 10/second drop")],
    ["whose drop comes after an accept for all", base("forward", "drop", "counter accept\ndrop")],
    ["whose policy is never reached", base("forward", "drop", "jump open")],
    [
      "that returns to its policy before its drop",
      base("forward", "accept", "counter return\ndrop"),
    ],
    ["that goes away before its drop", base("forward", "accept", "goto leave\ndrop")],
    ["whose dropping chain nothing enters", base("forward", "accept", "tcp dport 22 jump end")],
    ["at a hook where we have no chain", base("output", "drop")],
    [
      "in a bridge",
      "table bridge b {\n chain c { type filter hook forward priority 0; policy drop;\n }\n}\n",
    ],
  ])("%s", async (_, theirs) => {
    expect(await found(theirs)).toEqual([]);
  });

  it("at the forward hook of a host whose rules forward nothing", async () => {
    expect(await found(base("forward", "drop"), hostOnly)).toEqual([]);
  });

  it("when it is ours, which drops by policy", async () => {
    expect(await found("", hostOnly)).toEqual([]);
  });
});

it("is noticed by a comparison of our table, and forgotten when it goes, with no program more", async () => {
  await found("");
  let started = 0;
  const exec: Exec = (...call) => {
    started += 1;
    return spawned(...call);
  };
  const nft = openNft(exec);
  await must(inNamespace(namespace, "nft", "-f", "-"), { input: base("forward", "drop") });
  await nft.differences(overlays, "terse");
  expect(nft.others().drops).toEqual(named("policy"));
  await must(inNamespace(namespace, "nft", "delete", "table", "ip", "theirs"));
  await nft.differences(overlays, "terse");
  expect(nft.others().drops).toEqual([]);
  expect(started).toBe(2);
});
