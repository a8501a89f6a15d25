/**
 * The agent's apply beside raw `nft -f` of the same text. What is timed is all that the agent does for a new bundle's
 * ruleset when rules stay and members change: render, print, load, read back. A ruleset with new rules is checked by
 * `nft -c` first, which costs the kernel one more grace period whatever its size; that row has no goal.
 */
import { elementCount } from "#core/simulate/difference.ts";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { compile } from "#core/compile/index.ts";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { snapshotOf } from "#test/support/intent.ts";

export interface Row {
  readonly name: string;
  /** Milliseconds, or elements; ours and the floor's. */
  readonly value: number;
  readonly floor: number;
  readonly ratio: number;
  /** Largest ratio; null where none is promised. */
  readonly goal: number | null;
}

const rounds = fileURLToPath(new URL("./apply-rounds.ts", import.meta.url));
const Seconds = z.object({
  apply: z.array(z.number()),
  first: z.array(z.number()),
  floor: z.array(z.number()),
});

const elementRounds = fileURLToPath(new URL("./elements-rounds.ts", import.meta.url));
const ElementSeconds = z.object({
  amend: z.array(z.number()),
  whole: z.array(z.number()),
  floor: z.array(z.number()),
});

const memoryRounds = fileURLToPath(new URL("./memory-rounds.ts", import.meta.url));
const Kilobytes = z.object({ ours: z.number(), floor: z.number() });

export async function bench(): Promise<readonly Row[]> {
  const namespace = makeNamespaceName(newPrefix(), "bench");
  await makeNamespaces([namespace]);
  try {
    return [
      ...(await applyRows(namespace, 1000)),
      ...(await applyRows(namespace, 10_000)),
      ...(await elementRows(namespace, 1000, 15, null)),
      ...(await elementRows(namespace, 10_000, 15, 1)),
      ...(await elementRows(namespace, 100_000, 5, 1)),
      await memoryRow(namespace, 100_000, 0.6),
      await memoryRow(namespace, 500_000, 0.15),
      groupRow(),
    ];
  } finally {
    await removeNamespaces([namespace]);
  }
}

async function applyRows(namespace: string, elements: number): Promise<readonly Row[]> {
  const argv = inNamespace(namespace, process.execPath, rounds, `${elements}`);
  const seconds = Seconds.parse(JSON.parse(await must(argv, { timeoutMs: 120_000 })));
  const floor = lowerQuartileMs(seconds.floor);
  const row = (name: string, times: readonly number[], goal: number | null): Row => {
    const value = lowerQuartileMs(times);
    return { name: `${name}, ${elements} elements, ms`, value, floor, ratio: value / floor, goal };
  };
  return [row("apply", seconds.apply, 1.25), row("first apply, with check", seconds.first, null)];
}

/**
 * One member moved: elements alone beside the whole apply of the same program, and beside `nft -f` of those elements.
 * Of few elements, all three cost what starting nft does.
 */
async function elementRows(
  namespace: string,
  elements: number,
  times: number,
  goal: number | null,
): Promise<readonly Row[]> {
  const argv = inNamespace(namespace, process.execPath, elementRounds, `${elements}`, `${times}`);
  const seconds = ElementSeconds.parse(JSON.parse(await must(argv, { timeoutMs: 240_000 })));
  const value = lowerQuartileMs(seconds.amend);
  const row = (beside: string, floor: number, wanted: number | null): Row => {
    return {
      name: `one moved of ${elements}, beside ${beside}, ms`,
      value,
      floor,
      ratio: value / floor,
      goal: wanted,
    };
  };
  return [
    row("whole apply", lowerQuartileMs(seconds.whole), goal),
    row("nft -f", lowerQuartileMs(seconds.floor), null),
  ];
}

/** Peak memory of nft: filled in chunks, then flipped, beside one transaction. */
async function memoryRow(namespace: string, elements: number, goal: number): Promise<Row> {
  const argv = inNamespace(namespace, process.execPath, memoryRounds, `${elements}`);
  const { ours: value, floor } = Kilobytes.parse(
    JSON.parse(await must(argv, { timeoutMs: 240_000 })),
  );
  return {
    name: `nft's peak for ${elements} elements, kB`,
    value,
    floor,
    ratio: value / floor,
    goal,
  };
}

/** Other programs only ever add time, so the quicker rounds say more than the mean. */
export function lowerQuartileMs(seconds: readonly number[]): number {
  const sorted = seconds.toSorted((a, b) => a - b);
  return (sorted[Math.floor(sorted.length / 4)] ?? 0) * 1000;
}

/** Elements of one group of 1,000 members; the floor is one for each member. */
function groupRow(): Row {
  const members = 1000;
  const compiled = compile(
    snapshotOf([
      { kind: "host", key: "gw", body: {} },
      {
        kind: "overlay",
        key: "office",
        body: {
          host: "gw",
          interfaces: ["tun0"],
          subnets: ["10.8.0.0/16"],
          policy: "group-based",
          groups: ["dev"],
        },
      },
      ...Array.from({ length: members }, (_, i) => ({
        kind: "member" as const,
        key: `office/user${i}`,
        body: { group: "dev", addresses: [`10.8.${i >> 8}.${i & 255}`] },
      })),
    ]),
  );
  const ruleset = compiled.ok ? compiled.rulesets.get("gw") : undefined;
  if (ruleset === undefined) throw new Error("expected a ruleset for gw");
  const value = elementCount(ruleset);
  return {
    name: "one group of 1000 members, elements",
    value,
    floor: members,
    ratio: value / members,
    goal: 3,
  };
}
