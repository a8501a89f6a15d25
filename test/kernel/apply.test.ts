/** Loading, reading back, repairing and removing, in a namespace of its own with the real nft. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ApplyError } from "#agent/backend/nft/apply-error.ts";
import { type Nft, openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { emptyInventory, inventoryOf, renderClosed, transaction } from "#core/render/index.ts";
import { groupsRuleset, mustRender, ruleOf, rulesetOf, testGuard } from "#test/support/rulesets.ts";

const namespace = makeNamespaceName(newPrefix(), "apply");
const exec = spawnExec({ prefix: inNamespace(namespace) });
const nft = (...argv: readonly string[]) => must(inNamespace(namespace, "nft", ...argv));
const feed = (input: string) => must(inNamespace(namespace, "nft", "-f", "-"), { input });
const listing = () => nft("-s", "list", "ruleset");
const rulesOnly = async () =>
  (await nft("-s", "list", "table", "inet", "portcullis")).replace(
    /\t\telements = \{[^}]*\}\n/g,
    "",
  );

const dev = ["10.8.0.2", "10.8.0.3", "fd00:8::2"];
const program = mustRender(groupsRuleset({ dev, ops: ["10.8.0.9"] }));
let agent: Nft;

beforeAll(() => makeNamespaces([namespace]));
afterAll(() => removeNamespaces([namespace]));
beforeEach(async () => {
  await nft("flush", "ruleset");
  agent = openNft(exec);
});

const refusal = async (work: Promise<unknown>): Promise<ApplyError> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ApplyError) return error;
  throw new Error("expected an ApplyError", { cause: error });
};

describe("a load", () => {
  it("leaves every other table byte for byte as it was", async () => {
    await feed(`table inet theirs {
\tchain forward {
\t\ttype filter hook forward priority filter; policy accept;
\t\tcounter accept
\t}
}
table ip portcullis {
\tset mine {
\t\ttype ipv4_addr
\t\telements = { 192.0.2.1 }
\t}
}
`);
    const others = async () => [
      await nft("-s", "list", "table", "inet", "theirs"),
      await nft("-s", "list", "table", "ip", "portcullis"),
    ];
    const before = await others();
    await agent.apply(program);
    await agent.apply(renderClosed(testGuard));
    await agent.remove();
    expect(await others()).toEqual(before);
  });

  it("changes elements and no rule when a member changes its group", async () => {
    await agent.apply(program);
    const before = await rulesOnly();
    const moved = mustRender(groupsRuleset({ dev: [...dev, "10.8.0.9"], ops: [] }));
    await agent.apply(moved);
    expect(await rulesOnly()).toBe(before);
    await agent.readback(moved);
  });

  it("keeps the counters of rules that stay", async () => {
    await agent.apply(program);
    await feed("reset counters\n");
    await nft("delete", "table", "inet", "portcullis");
    const counted = transaction(program, emptyInventory).replace(
      "\tcounter r_dev {\n\t}",
      "\tcounter r_dev {\n\t\tpackets 7 bytes 700\n\t}",
    );
    await feed(counted);
    await agent.apply(program);
    expect(await agent.counters()).toContainEqual({ name: "r_dev", packets: 7, bytes: 700 });
  });

  it("deletes by name what is no longer ours, both with and without remembering it", async () => {
    const other = mustRender(
      rulesetOf({
        scopes: [{ kind: "overlay", name: "lab", interfaces: ["tun9"], subnets: ["10.9.0.0/24"] }],
        rules: [
          ruleOf({
            scope: "overlay/lab",
            direction: "peer",
            verdict: "accept",
            destination: { kind: "source-subnet" },
            counter: "r_lab",
          }),
        ],
      }),
    );
    for (const memory of ["kept", "lost"] as const) {
      await agent.apply(program);
      if (memory === "lost") agent = openNft(exec);
      await agent.apply(other);
      expect(await openNft(exec).inventory()).toEqual({
        ...inventoryOf(other),
        chains: expect.arrayContaining([...inventoryOf(other).chains]),
        sets: expect.arrayContaining([...inventoryOf(other).sets]),
      });
      expect((await agent.inventory()).chains).toHaveLength(other.chains.length);
      await agent.readback(other);
    }
  });

  it("refuses a file that nft cannot read, with nft's first line, and the kernel stays as it was", async () => {
    await agent.apply(program);
    const before = await listing();
    const bad = `${transaction(program, inventoryOf(program))}add rule inet portcullis forward nonsense\n`;
    const checked = await refusal(agent.check(bad));
    expect(checked.code).toBe("check_failed");
    expect(checked.message).toMatch(/Error: syntax error/);
    expect((await refusal(agent.load(bad))).code).toBe("load_failed");
    expect(await listing()).toBe(before);
  });

  it("refuses whole what only the kernel can refuse", async () => {
    await agent.apply(program);
    const before = await listing();
    const overlapping = mustRender(
      rulesetOf({
        scopes: [{ kind: "host" }],
        sets: [{ name: "nets", kind: "networks", elements: ["10.0.0.0/8", "10.1.0.0/16"] }],
        rules: [
          ruleOf({
            scope: "host",
            direction: "in",
            source: { kind: "set", set: "nets" },
            verdict: "accept",
            counter: "r_nets",
          }),
        ],
      }),
    );
    expect((await refusal(agent.apply(overlapping))).code).toBe("load_failed");
    expect(await listing()).toBe(before);
    await agent.apply(program);
  });

  it("needs no disk: where no file can be written it asks nft apart", async () => {
    const temporary = process.env["TMPDIR"];
    process.env["TMPDIR"] = "/nonexistent";
    try {
      await agent.apply(program);
      const nonsense = { ...program, counters: [] };
      expect((await refusal(openNft(exec).apply(nonsense))).code).toBe("check_failed");
    } finally {
      if (temporary === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = temporary;
    }
    await agent.readback(program);
    expect((await refusal(openNft(exec).apply({ ...program, counters: [] }))).code).toBe(
      "check_failed",
    );
  });

  it("fails loudly without an nft", async () => {
    await expect(openNft(spawnExec(), "/nonexistent/nft").apply(program)).rejects.toThrow(/ENOENT/);
  });
});

describe("a readback", () => {
  const tampering: readonly (readonly [string, string])[] = [
    ["a rule added", "insert rule inet portcullis forward accept"],
    ["a rule gone", "flush chain inet portcullis peer_office"],
    [
      "a rule that decides otherwise",
      "flush chain inet portcullis in_office; add rule inet portcullis in_office counter name r_end_in_overlay accept; add rule inet portcullis in_office drop",
    ],
    [
      "a rule that matches more",
      "flush chain inet portcullis c_0peer0_k_dev; add rule inet portcullis c_0peer0_k_dev counter name r_dev accept; add rule inet portcullis c_0peer0_k_dev counter name r_dev accept",
    ],
    [
      "a rule that looks at the other address",
      "flush chain inet portcullis c_0peer0_k_dev; add rule inet portcullis c_0peer0_k_dev ip saddr @a4_g_dev counter name r_dev accept; add rule inet portcullis c_0peer0_k_dev ip6 daddr @a6_g_dev counter name r_dev accept",
    ],
    ["an element added", "add element inet portcullis a4_g_dev { 10.8.0.9 }"],
    ["an element gone", "delete element inet portcullis a6_g_dev { fd00:8::2 }"],
    [
      "a class changed",
      "delete element inet portcullis m4_0peer0_k_office { 10.8.0.9 }; add element inet portcullis m4_0peer0_k_office { 10.8.0.9 : jump c_0peer0_k_dev }",
    ],
    ["a chain added", "add chain inet portcullis x_more"],
    ["a set added", "add set inet portcullis x_more { type ipv4_addr; }"],
    ["a map added", "add map inet portcullis x_more { type ipv4_addr : verdict; }"],
    ["a counter added", "add counter inet portcullis x_more"],
    ["an object that we never make", "add limit inet portcullis x_more { rate 1/second; }"],
    ["a policy changed", "chain inet portcullis forward { policy drop; }"],
    ["a table put to sleep", "add table inet portcullis { flags dormant; }"],
    ["a table gone", "delete table inet portcullis"],
    [
      "a set with other flags",
      "flush chain inet portcullis c_0peer0_k_dev; delete set inet portcullis a4_g_dev; add set inet portcullis a4_g_dev { type ipv4_addr; flags interval; }",
    ],
    [
      "a chain at another hook",
      "flush chain inet portcullis forward; delete chain inet portcullis forward; add chain inet portcullis forward { type filter hook input priority 0; }",
    ],
    ["a name that we could not print", "add chain inet portcullis Strange"],
  ];

  it.each(tampering)("tells %s, and the next apply repairs it", async (_, command) => {
    await agent.apply(program);
    await agent.readback(program);
    const sound = await listing();
    await feed(`${command.replaceAll("; ", "\n")}\n`.replaceAll(";\n}", "; }"));
    const error = await refusal(agent.readback(program));
    expect(error.code).toBe("readback_mismatch");
    await agent.apply(program);
    await agent.readback(program);
    expect(await listing()).toBe(sound);
  });
});

it("removes our table and nothing else, and removing twice is fine", async () => {
  await nft("add", "table", "inet", "theirs");
  await agent.apply(program);
  await agent.remove();
  await agent.remove();
  expect(await listing()).toBe("table inet theirs {\n}\n");
  expect(await agent.inventory()).toEqual(emptyInventory);
  expect((await refusal(agent.readback(program))).message).toBe("expected our table, found none");
});
