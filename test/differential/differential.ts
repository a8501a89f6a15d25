/**
 * Holds the kernel against `simulate`: arbitrary rulesets, rendered and loaded one over the other, and arbitrary packets
 * through them. Compared are each packet's verdict and, for all packets of a ruleset together, how often each rule's and
 * each topology's counter counted: a packet that the wrong row let in shows there.
 */
import fc from "fast-check";
import { openNft } from "#agent/apply/nft.ts";
import { spawnExec } from "#agent/apply/spawn.ts";
import { inNamespace } from "#lab/netns.ts";
import { Guard } from "#schema/guard.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { type Judgement, type Packet, prepare } from "#simulate/index.ts";
import { type Ground, openGround } from "#test/support/ground.ts";
import { mustRender } from "#test/support/rulesets.ts";
import { arbitraryCase, type Case, ground } from "./cases.ts";

export const guard: Guard = Guard.parse({
  management: {
    interfaces: ["mgmt0"],
    allow: [
      { cidr: "10.9.0.0/16", proto: "tcp", port: 22 },
      { cidr: "fd00:9::/48", proto: "udp", port: 53 },
    ],
  },
});

/** One disagreement, with all that it takes to see it again. */
export interface Difference {
  readonly ruleset: Ruleset;
  readonly packets: readonly Packet[];
  readonly expected: string;
  readonly found: string;
}

export interface Result {
  readonly packets: number;
  readonly accepted: number;
  readonly rulesets: number;
  readonly differences: readonly Difference[];
}

export interface Options {
  readonly seed: number;
  readonly packets: number;
  readonly progress: (soFar: Result) => void;
}

/** Few, as more rulesets find more than more packets do. */
const batch = 100;

export async function differential({ seed, packets, progress }: Options): Promise<Result> {
  const field = await openGround(ground);
  try {
    let result: Result = { packets: 0, accepted: 0, rulesets: 0, differences: [] };
    for (const one of casesOf(seed)) {
      result = add(result, one, await compare(field, one));
      progress(result);
      if (result.packets >= packets) break;
    }
    return result;
  } finally {
    await field.destroy();
  }
}

const casesAtOnce = 50;

/** Without end. One stream of numbers for many cases: neighbouring seeds begin with much the same numbers. */
function* casesOf(seed: number): Generator<Case> {
  for (let from = seed; ; from = (from * 48_271 + 1) % 0x7fff_ffff) {
    const now = Math.floor(Date.now() / 1000);
    yield* fc.sample(arbitraryCase(batch, now), { seed: from, numRuns: casesAtOnce, unbiased: true });
  }
}

const add = (sum: Result, { packets }: Case, part: Compared): Result => ({
  packets: sum.packets + packets.length,
  accepted: sum.accepted + part.accepted,
  rulesets: sum.rulesets + 1,
  differences: [...sum.differences, ...part.differences],
});

interface Compared {
  readonly accepted: number;
  readonly differences: readonly Difference[];
}

async function compare(field: Ground, { ruleset, packets }: Case): Promise<Compared> {
  const program = mustRender(ruleset, guard);
  const nft = openNft(spawnExec({ prefix: inNamespace(field.gateway) }));
  // Counters outlive an apply, so that one ruleset's would be taken for the next one's.
  await nft.remove();
  await nft.apply(program);
  await nft.readback(program);
  const { passed, counters } = await field.send(packets);
  const judge = prepare(ruleset, guard);
  const verdicts = packets.flatMap((packet, i): readonly Difference[] => {
    const { verdict, row } = judge(packet);
    if ((verdict === "accept") === passed[i]) return [];
    const found = passed[i] === true ? "passed" : "did not pass";
    return [{ ruleset, packets: [packet], expected: `${verdict} by ${row ?? "no row"}`, found }];
  });
  return {
    accepted: passed.filter(Boolean).length,
    differences: [...verdicts, ...countDifferences(ruleset, packets, judge, counters)],
  };
}

function countDifferences(
  ruleset: Ruleset,
  packets: readonly Packet[],
  judge: (packet: Packet) => Judgement,
  counters: ReadonlyMap<string, number>,
): readonly Difference[] {
  const counted = packets.flatMap((packet) =>
    deciding(judge, packet).flatMap(({ rule, tally }) => {
      const own = rule === null ? undefined : ruleset.rules[rule]?.counter;
      return [own, tally].flatMap((name) =>
        name === undefined || name === null ? [] : [{ name: `${name}`, packet }],
      );
    }),
  );
  const expected = Map.groupBy(counted, ({ name }) => name);
  return [...new Set([...expected.keys(), ...counters.keys()])].flatMap((name) => {
    const of = expected.get(name) ?? [];
    const found = counters.get(name) ?? 0;
    if (of.length === found) return [];
    const concerned = of.map(({ packet }) => packet);
    return [{ ruleset, packets: concerned, expected: `${of.length} counted by ${name}`, found: `${found}` }];
  });
}

/** Every judgement that a packet meets: between two overlays the one it leaves accepts before the other is asked. */
function deciding(judge: (packet: Packet) => Judgement, packet: Packet): readonly Judgement[] {
  const last = judge(packet);
  if (packet.hook !== "forward" || last.tally !== "c_ingress") return [last];
  const leaving = judge({ ...packet, oif: "nowhere0" });
  return leaving.tally === null ? [last] : [leaving, last];
}
