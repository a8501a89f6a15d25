/**
 * Sending elements alone is an optimisation and nothing else: over random sequences of rulesets, with nft failing and
 * others editing in between, our table always lists as one that was loaded whole into an empty namespace.
 * `PORTCULLIS_SEQUENCES=1000` runs longer.
 */
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
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
import { must, run } from "#lab/run/process.ts";
import type { Program } from "#core/render/index.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { groupsRuleset, mustRender, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const prefix = newPrefix();
const [namespace, fresh] = [makeNamespaceName(prefix, "live"), makeNamespaceName(prefix, "fresh")];
const feed = (where: string, input: string) =>
  must(inNamespace(where, "nft", "-f", "-"), { input });

beforeAll(() => makeNamespaces([namespace, fresh]));
afterAll(() => removeNamespaces([namespace, fresh]));

const Listed = z.object({
  nftables: z.array(z.record(z.string(), z.record(z.string(), z.unknown()))),
});

const withoutCounts = (key: string, value: unknown): unknown =>
  ["handle", "packets", "bytes"].includes(key) ? undefined : value;

/** Our table, without handles and counts and with elements and objects sorted; rules stay in their order. */
async function listing(where: string): Promise<readonly string[]> {
  const text = await must(inNamespace(where, "nft", "-j", "list", "ruleset"));
  const entries = Listed.parse(JSON.parse(text)).nftables.flatMap((entry) =>
    Object.entries(entry).map(([kind, body]) => {
      const elements = z.array(z.unknown()).safeParse(body["elem"]);
      const elem = elements.success
        ? elements.data.map((element) => JSON.stringify(element)).toSorted()
        : [];
      return {
        kind,
        text: JSON.stringify({ kind, ...body, elem }, withoutCounts),
        chain: String(body["chain"]),
      };
    }),
  );
  const rules = entries.filter(({ kind }) => kind === "rule");
  const byChain = [...Map.groupBy(rules, ({ chain }) => chain)].map(([, own]) =>
    own.map((rule) => rule.text),
  );
  const objects = entries.filter(({ kind }) => kind !== "rule").map((entry) => entry.text);
  return [...objects, ...byChain.map((own) => own.join("\n"))].toSorted();
}

async function wholeListing(program: Program): Promise<readonly string[]> {
  await feed(fresh, standaloneText(program));
  return listing(fresh);
}

/** How nft fails: it refuses and does nothing; or at first it does all and is not heard of again, and then it refuses. */
type Fault = "refuses" | "vanishes";

class CountingWitness extends Witness {
  wholeLoads = 0;
  override begin(): void {
    this.wholeLoads += 1;
    super.begin();
  }
}

interface Bench {
  readonly kernel: Kernel;
  readonly witness: CountingWitness;
  /** From the call after `from` on, `times` calls fail. */
  fail(fault: Fault, from: number, times: number): void;
}

function openBench(): Bench {
  const witness = new CountingWitness();
  const spawned = spawnExec({
    prefix: inNamespace(namespace),
    started: (pid) => {
      witness.noteStarted(pid);
      // As a watch would hear it.
      witness.noteTransaction(pid, true);
    },
  });
  let calls = 0;
  let faults: { readonly fault: Fault; readonly from: number; readonly to: number } | undefined;
  const exec: Exec = async (...call) => {
    calls += 1;
    const failing = faults !== undefined && calls > faults.from && calls <= faults.to;
    if (!failing) return spawned(...call);
    if (faults?.fault === "refuses" || calls !== (faults?.from ?? 0) + 1)
      return { status: 1, stdout: "", stderr: "1:1-1: Error: no memory\n" };
    await spawned(...call);
    throw new Error("nft did not end in time");
  };
  return {
    kernel: openKernel(openNft(exec, "nft", witness)),
    witness,
    fail(fault, from, times) {
      faults = { fault, from: calls + from, to: calls + from + times };
    },
  };
}

const pool = Array.from({ length: 40 }, (_, i) =>
  i % 3 === 2 ? `fd00:8::${i + 1}` : `10.8.0.${i + 1}`,
);
/** More than an apply lists. */
const crowd = Array.from({ length: 300 }, (_, i) => `10.8.${1 + (i >> 8)}.${i & 255}`);
/** Ways to cover a /16, side by side and within each other. */
const covers: readonly (readonly string[])[] = [
  [],
  ["0.0/16"],
  ["0.0/17"],
  ["128.0/17"],
  ["0.0/18", "128.0/17"],
  ["64.0/18", "255.255/32"],
];

interface Step {
  /** Members that go to a group, by number, or leave. */
  readonly moves: readonly (readonly [member: number, group: number])[];
  readonly cover: number;
  readonly rename: boolean;
  readonly port: boolean;
  readonly fault: { readonly kind: Fault; readonly from: number; readonly times: number } | null;
  readonly foreign: string | null;
}

const foreign = fc.constantFrom(
  "add element inet portcullis a4_g_dev { 10.8.0.77 }",
  "flush set inet portcullis a6_g_dev",
  "flush map inet portcullis m4_1peer0_k_office",
  "add element inet portcullis n4_lan { 192.0.2.0/24 }",
  "insert rule inet portcullis input accept",
  "flush chain inet portcullis c_1peer0_k_dev",
  "add set inet portcullis x_more { type ipv4_addr; }",
  "delete table inet portcullis",
);

/** Mostly members move; now and then rules change, nft fails or somebody else edits. */
const rarely = (times: number) => fc.nat(times - 1).map((n) => n === 0);
const sometimes = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
const arbitraryStep: fc.Arbitrary<Step> = fc.record({
  moves: fc.array(fc.tuple(fc.nat(pool.length - 1), fc.nat(2)), { maxLength: 8 }),
  cover: fc.nat(covers.length - 1),
  rename: rarely(10),
  port: rarely(10),
  fault: sometimes(
    fc.record({
      kind: fc.constantFrom("refuses" as const, "vanishes" as const),
      from: fc.nat(2),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  ),
  foreign: sometimes(foreign),
});
const arbitrarySequence = fc.record({
  big: fc.boolean(),
  steps: fc.array(arbitraryStep, { minLength: 4, maxLength: 4, size: "max" }),
});

/** The rulesets of a sequence, each from the one before. */
function rulesetsOf(steps: readonly Step[], big: boolean): readonly Ruleset[] {
  const places = pool.map((_, i) => i % 2);
  let [port, second] = [443, "ops"];
  return steps.map(({ moves, cover, rename, port: other }) => {
    for (const [member, group] of moves) places[member] = group;
    if (other) port = port === 443 ? 80 : 443;
    if (rename) second = second === "ops" ? "qa" : "ops";
    const of = (group: number) => pool.filter((_, i) => places[i] === group);
    const networks = [0, 1].flatMap((i) =>
      (covers[(cover + i) % covers.length] ?? []).map((tail) =>
        `10.${20 + i}.${tail}`.replace("/32", ""),
      ),
    );
    return rulesetFrom({ dev: [...of(0), ...(big ? crowd : [])], [second]: of(1) }, networks, port);
  });
}

function rulesetFrom(
  groups: Readonly<Record<string, readonly string[]>>,
  networks: readonly string[],
  port: number,
): Ruleset {
  const overlay = groupsRuleset(groups);
  const host = rulesetOf({
    scopes: [{ kind: "host" }],
    sets: [{ name: "lan", kind: "networks", elements: [...networks] }],
    rules: [
      ruleOf({
        scope: "host",
        direction: "in",
        protocol: {
          kind: "tcp",
          ports: { kind: "ranges", ranges: [{ from: port, to: port }] },
          sourcePorts: { kind: "any" },
        },
        source: { kind: "set", set: "lan" },
        verdict: "accept",
        counter: "r_lan",
      }),
    ],
  });
  return {
    ...overlay,
    scopes: [...host.scopes, ...overlay.scopes],
    sets: [...host.sets, ...overlay.sets],
    rules: [...host.rules, ...overlay.rules],
  };
}

describe("elements alone", () => {
  beforeEach(() => must(inNamespace(namespace, "nft", "flush", "ruleset")));

  it("keep every rule as it stands and every count, and so does a whole load", async () => {
    const { kernel, witness } = openBench();
    const [dev, ops] = [pool.slice(0, 20), pool.slice(20)];
    const program = mustRender(groupsRuleset({ dev, ops }));
    await feed(
      namespace,
      standaloneText(program).replace(
        "counter r_dev {\n",
        "counter r_dev {\n\t\tpackets 7 bytes 700\n",
      ),
    );
    const counted = { name: "r_dev", packets: 7, bytes: 700 };
    expect((await kernel.load(program)).ok).toBe(true);
    expect(await kernel.counters()).toContainEqual(counted);
    const rules = async () =>
      (await must(inNamespace(namespace, "nft", "-a", "list", "ruleset"))).match(
        /^.* # handle \d+$/gm,
      );
    const before = await rules();
    const wholeLoads = witness.wholeLoads;
    const moved = mustRender(
      groupsRuleset({ dev: dev.slice(1), ops: [...dev.slice(0, 1), ...ops] }),
    );
    expect((await kernel.update(moved)).ok).toBe(true);
    expect(await rules()).toEqual(before);
    expect(await kernel.counters()).toContainEqual(counted);
    expect(witness.wholeLoads).toBe(wholeLoads);
    expect(await listing(namespace)).toEqual(await wholeListing(moved));
  });

  it("leave our table as a whole load does, whatever came before", async () => {
    const runs = Number(process.env["PORTCULLIS_SEQUENCES"] ?? "40");
    const tally = { elements: 0, whole: 0, failed: 0 };
    const sequences = fc.sample(arbitrarySequence, { seed: 20_261_122, numRuns: runs });
    for (const [at, { big, steps }] of sequences.entries()) {
      const bench = openBench();
      for (const [i, ruleset] of rulesetsOf(steps, big).entries()) {
        const program = mustRender(ruleset);
        const wholeLoads = bench.witness.wholeLoads;
        const loaded = await disturbedUpdate(bench, program, steps[i]);
        if (bench.witness.wholeLoads === wholeLoads) tally.elements += 1;
        else tally.whole += 1;
        if (!loaded) tally.failed += 1;
        expect(await listing(namespace), `sequence ${at}, step ${i}`).toEqual(
          await wholeListing(program),
        );
      }
    }
    expect(tally.elements).toBeGreaterThan(runs / 2);
    expect(tally.whole).toBeGreaterThan(runs / 2);
    expect(tally.failed).toBeGreaterThan(runs / 20);
  });
});

/** @returns false when it failed; then what is said of the kernel was true, and the program is loaded whole */
async function disturbedUpdate(
  bench: Bench,
  program: Program,
  step: Step | undefined,
): Promise<boolean> {
  const { fault = null, foreign: edit = null } = step ?? {};
  if (edit !== null) {
    await run(inNamespace(namespace, "nft", "-f", "-"), { input: `${edit}\n` });
    bench.witness.noteTransaction(1, true);
  }
  if (fault === null) {
    expect((await bench.kernel.update(program)).ok).toBe(true);
    return true;
  }
  const before = await listing(namespace);
  bench.fail(fault.kind, fault.from, fault.times);
  const loaded = await bench.kernel.update(program);
  bench.fail("refuses", 0, 0);
  if (loaded.ok) return true;
  if (!loaded.touched) expect(await listing(namespace)).toEqual(before);
  expect((await bench.kernel.load(program)).ok).toBe(true);
  return false;
}
