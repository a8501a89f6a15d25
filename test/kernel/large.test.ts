/** Very large programs: filled in chunks outside the rules, then one flip; whatever goes wrong, the old rules stand. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { type Exec, spawnExec } from "#agent/process/spawn.ts";
import { Witness } from "#agent/backend/nft/witness.ts";
import { type Kernel, openKernel } from "#agent/backend/kernel.ts";
import { standaloneText } from "#agent/disk/slots.ts";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { elementCount, type Program } from "#core/render/index.ts";
import { groupsRuleset, mustRender } from "#test/support/rulesets.ts";

const prefix = newPrefix();
const [namespace, fresh] = [makeNamespaceName(prefix, "live"), makeNamespaceName(prefix, "fresh")];
const feed = (where: string, input: string) =>
  must(inNamespace(where, "nft", "-f", "-"), { input });

beforeAll(() => makeNamespaces([namespace, fresh]));
afterAll(() => removeNamespaces([namespace, fresh]));
beforeEach(() => must(inNamespace(namespace, "nft", "flush", "ruleset")));

const many = (count: number) =>
  Array.from({ length: count }, (_, i) => `10.9.${i >> 8}.${i & 255}`);
const small = mustRender(groupsRuleset({ dev: ["10.8.0.2"], ops: ["10.8.0.3"] }));
const large = mustRender(groupsRuleset({ dev: ["10.8.0.2"], ops: many(26_000) }));
const larger = mustRender(groupsRuleset({ dev: ["10.8.0.4"], qa: many(27_000) }));

interface Opened {
  readonly kernel: Kernel;
  /** What nft was given on its standard input. */
  readonly inputs: readonly string[];
}

/** @param refuse by how many texts of elements came before, whether nft fails from now on */
function open(refuse: (chunks: number) => boolean = () => false): Opened {
  const witness = new Witness();
  const spawned = spawnExec({
    prefix: inNamespace(namespace),
    started: (pid) => {
      witness.noteStarted(pid);
      witness.noteTransaction(pid, true);
    },
  });
  const inputs: string[] = [];
  const exec: Exec = async (...call) => {
    if (refuse(inputs.filter((text) => text.startsWith("create element")).length))
      return { status: 1, stdout: "", stderr: "1:1-1: Error: no memory\n" };
    inputs.push(call[1]);
    return spawned(...call);
  };
  return { kernel: openKernel(openNft(exec, "nft", witness)), inputs };
}

/** Names of sets aside, and in an order of its own, all that our table holds. */
async function listing(where: string): Promise<readonly string[]> {
  const text = await must(inNamespace(where, "nft", "-s", "list", "table", "inet", "portcullis"));
  const plain = text.replaceAll(/\bflip(?=[a-z]+\d_)/g, "").replaceAll(/\},?\s+/g, "}\n");
  return plain
    .split(/[\n,]/)
    .map((line) => line.trim())
    .toSorted();
}
async function wholeListing(program: Program): Promise<readonly string[]> {
  await feed(fresh, standaloneText(program));
  return listing(fresh);
}
const rules = async () =>
  must(inNamespace(namespace, "nft", "-t", "list", "ruleset")).then((text) =>
    text.match(/^.* (counter|accept|drop|vmap) .*$/gm),
  );

describe("a very large program", () => {
  it("goes in chunks of at most 25,000 elements, and reads back as the whole, from side to side and back", async () => {
    expect(elementCount(large)).toBeGreaterThan(50_000);
    const { kernel, inputs } = open();
    for (const program of [small, large, larger, small]) {
      expect((await kernel.load(program)).ok).toBe(true);
      expect(await listing(namespace)).toEqual(await wholeListing(program));
    }
    const chunks = inputs.filter((text) => text.startsWith("create element"));
    expect(chunks.length).toBeGreaterThanOrEqual(6);
    for (const chunk of chunks) expect(chunk.split("\n").length).toBeLessThanOrEqual(51);
  });

  it("is known under either name: no drift after a restart, and a member's move is elements alone", async () => {
    const { kernel, inputs } = open();
    for (const program of [small, large]) expect((await kernel.load(program)).ok).toBe(true);
    const before = inputs.length;
    const moved = mustRender(
      groupsRuleset({ dev: ["10.8.0.2", "10.9.0.0"], ops: many(26_000).slice(1) }),
    );
    expect((await kernel.update(moved)).ok).toBe(true);
    expect(inputs.length).toBe(before + 1);
    expect(await listing(namespace)).toEqual(await wholeListing(moved));
    const how = { repair: false, detail: () => "full" as const };
    expect(await open().kernel.correct(() => moved, how)).toEqual({ kind: "sound" });
    expect(await kernel.correct(() => moved, how)).toEqual({ kind: "sound" });
  });

  it.each([1, 2])(
    "cut off after %i chunks leaves the old rules, and every next load cleans up",
    async (cut) => {
      expect((await open().kernel.load(small)).ok).toBe(true);
      const before = await rules();
      const cutOff = async () =>
        expect(await open((chunks) => chunks > cut).kernel.load(large)).toMatchObject({
          ok: false,
          touched: true,
        });
      await cutOff();
      expect(await rules()).toEqual(before);
      // A restart's restore, the next bundle, and the script of boot and watchdog.
      expect((await open().kernel.load(small)).ok).toBe(true);
      expect(await listing(namespace)).toEqual(await wholeListing(small));
      await cutOff();
      expect((await open().kernel.load(large)).ok).toBe(true);
      expect(await listing(namespace)).toEqual(await wholeListing(large));
      await cutOff();
      await feed(namespace, standaloneText(small));
      expect(await listing(namespace)).toEqual(await wholeListing(small));
    },
  );

  it("is refused whole when what was filled is gone before the flip", async () => {
    expect((await open().kernel.load(small)).ok).toBe(true);
    const before = await rules();
    const spawned = spawnExec({ prefix: inNamespace(namespace) });
    let chunks = 0;
    const exec: Exec = async (...call) => {
      const result = await spawned(...call);
      if (call[1].startsWith("create element")) chunks += 1;
      if (chunks === 3) await feed(namespace, standaloneText(small));
      return result;
    };
    await expect(openNft(exec).apply(large)).rejects.toMatchObject({ code: "readback_mismatch" });
    expect(await rules()).toEqual(before);
  });
});
