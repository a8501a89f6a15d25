/** Tables of others beside ours: what they keep is not read, and whatever nft makes of it, ours is loaded and watched. */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
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
import { groupsRuleset, mustRender } from "#test/support/rulesets.ts";

const namespace = makeNamespaceName(newPrefix(), "others");
const spawned = spawnExec({ prefix: inNamespace(namespace) });
const nft = (...argv: readonly string[]): Promise<string> =>
  must(inNamespace(namespace, "nft", ...argv));
/** So many elements that they are not listed after a load, and so few that they are. */
const sizes: readonly (readonly [string, number])[] = [
  ["few members", 3],
  ["many members", 300],
];
const ofSize = (members: number, last: number) =>
  mustRender(
    groupsRuleset({
      dev: Array.from({ length: members }, (_, i) => `10.8.${i >> 8}.${i & 255}`),
      ops: [`10.9.0.${last}`],
    }),
  );

beforeAll(() => makeNamespaces([namespace]));
afterAll(() => removeNamespaces([namespace]));
beforeEach(async () => {
  await nft("flush ruleset; add table ip theirs; add set ip theirs many { type ipv4_addr; }");
  await nft("add element ip theirs many { 192.0.2.77 }");
});

/** Everything that an agent asks nft, with one change of members and one by somebody else on the way. */
async function live(exec: Exec, members: number): Promise<readonly string[]> {
  const ours = openNft(exec);
  await ours.readTable();
  await ours.inventory();
  await ours.apply(ofSize(members, 1));
  await ours.amend(ofSize(members, 2));
  await ours.apply(ofSize(members, 2));
  await ours.readback(ofSize(members, 2));
  await ours.counters();
  await nft("insert", "rule", "inet", "portcullis", "forward", "accept");
  const { changes } = await ours.differences(ofSize(members, 2), "terse");
  await ours.apply(ofSize(members, 2));
  await ours.readback(ofSize(members, 2));
  await nft("delete table inet portcullis");
  return [...changes, ...(await ours.differences(ofSize(members, 2), "full")).changes];
}

it.each(sizes)("never asks for what sets of others hold, with %s of ours", async (_, members) => {
  const said: string[] = [];
  const listening: Exec = async (argv, input, answer) => {
    const result = await spawned(argv, input, answer);
    said.push(result.stdout);
    return result;
  };
  await live(listening, members);
  expect(said.join("")).toContain('"many"');
  expect(said.join("")).toContain("10.8.0.2");
  expect(said.join("")).not.toContain("192.0.2.77");
});

/** Lists ours alone: for anything else nft ends as by a failed assertion, after what it was told before that. */
const aborting: Exec = async (argv, input, answer) => {
  const asks = [...argv, input].join(" ").includes("list ruleset");
  if (!asks) return spawned(argv, input, answer);
  const before = input.replace("list ruleset\n", "");
  if (before !== "") await spawned(argv, before);
  return { status: null, stdout: "", stderr: "nft: rule.c:1: theirs: Assertion `0' failed.\n" };
};

it.each(sizes)(
  "loads, watches and reads back ours where nft does not survive theirs, with %s",
  async (_, members) => {
    const changes = await live(aborting, members);
    expect(changes[0]).toMatch(/^chain forward: surplus rule 0/);
    expect(changes).toContain("expected our table, found none");
    const ours = openNft(aborting);
    expect(ours.others()).toEqual({ drops: null, redirects: null, unlisted: null });
    await ours.readTable();
    expect(ours.others()).toMatchObject({
      drops: null,
      redirects: null,
      unlisted: expect.stringContaining("Assertion"),
    });
    const sound = openNft(spawned);
    await sound.readTable();
    expect(sound.others()).toEqual({ drops: [], redirects: [], unlisted: null });
  },
);

it("still refuses what the kernel refuses, where nft does not survive theirs", async () => {
  const ours = openNft(aborting);
  const sound = ofSize(3, 1);
  await ours.apply(sound);
  const broken = { ...sound, sets: sound.sets.slice(1) };
  await expect(ours.apply(broken)).rejects.toMatchObject({ code: "check_failed" });
  await ours.readback(sound);
});
