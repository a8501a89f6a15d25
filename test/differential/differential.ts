/**
 * Three readings of one policy, held against one another packet by packet: the kernel with what is rendered, `simulate`
 * with what is compiled, and the oracle with the intent itself. Arbitrary rulesets are loaded one over the other and
 * arbitrary packets sent through them. Compared are each packet's verdict, the row that gave it, and for all packets of
 * a ruleset together how often each counter counted: a packet that the wrong row let in shows there.
 */
import fc from "fast-check";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { invalidCounter } from "#schema/always.ts";
import { type PacketVerdict, type Packet, prepare } from "#core/simulate/index.ts";
import { type Ground, openGround } from "#test/support/ground.ts";
import { mustRender } from "#test/support/rulesets.ts";
import { arbitraryCase, type Case, ground } from "./cases.ts";
import { opinionOf } from "./oracle.ts";

/** One disagreement, with all that it takes to see it again. */
export interface Difference extends Pick<Case, "intent" | "guard" | "ruleset"> {
  readonly between: "kernel and simulate" | "simulate and oracle";
  readonly packets: readonly Packet[];
  readonly expected: string;
  readonly found: string;
}

export interface Result {
  readonly packets: number;
  readonly accepted: number;
  readonly rulesets: number;
  /** Packets that the oracle has read as well. */
  readonly read: number;
  /** Packets by what is special about them, such as `established`, `fragments` or, through sets above 500, `large sets`. */
  readonly kinds: Readonly<Record<string, number>>;
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
    let result: Result = {
      packets: 0,
      accepted: 0,
      rulesets: 0,
      read: 0,
      kinds: {},
      differences: [],
    };
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
  let serial = 0;
  for (let from = seed; ; from = (from * 48_271 + 1) % 0x7fff_ffff) {
    const now = Math.floor(Date.now() / 1000);
    const options = { seed: from, numRuns: casesAtOnce, unbiased: true };
    for (let i = 0; i < casesAtOnce; i += 1, serial += batch)
      yield* fc.sample(arbitraryCase(i, batch, now, serial), {
        ...options,
        numRuns: 1,
        seed: from + i,
      });
  }
}

function add(sum: Result, { intent, ruleset, guard, shots }: Case, part: Compared): Result {
  const kinds: Record<string, number> = { ...sum.kinds };
  const ofAll = [
    ...(ruleset.sets.some(({ elements }) => elements.length > 500) ? ["large sets"] : []),
    ...(guard.output === undefined ? [] : ["narrowed output"]),
  ];
  for (const { packet, form } of shots)
    for (const kind of [packet.hook, packet.protocol, packet.state, form, ...ofAll])
      kinds[kind] = (kinds[kind] ?? 0) + 1;
  return {
    packets: sum.packets + shots.length,
    accepted: sum.accepted + part.accepted,
    rulesets: sum.rulesets + 1,
    read: sum.read + (intent === null ? 0 : shots.length),
    kinds,
    differences: [...sum.differences, ...part.differences],
  };
}

interface Compared {
  readonly accepted: number;
  readonly differences: readonly Difference[];
}

async function compare(field: Ground, one: Case): Promise<Compared> {
  const { ruleset, guard, shots } = one;
  const packets = shots.map(({ packet }) => packet);
  const program = mustRender(ruleset, guard);
  const nft = openNft(spawnExec({ prefix: inNamespace(field.gateway) }));
  // Counters outlive an apply, so that one ruleset's would be taken for the next one's.
  await nft.remove();
  await field.open(shots);
  await nft.apply(program);
  await nft.readback(program);
  const { passed, counters } = await field.send(shots);
  const judge = prepare(ruleset, guard);
  const verdicts = packets.flatMap((packet, i): readonly Difference[] => {
    const { verdict, row } = judge(packet);
    if ((verdict === "accept") === passed[i]) return [];
    const found = passed[i] === true ? "passed" : "did not pass";
    return [
      differs(one, "kernel and simulate", [packet], `${verdict} by ${row ?? "no row"}`, found),
    ];
  });
  return {
    accepted: passed.filter(Boolean).length,
    differences: [
      ...verdicts,
      ...countDifferences(one, packets, judge, counters),
      ...packets.flatMap((packet) => misreadings(one, packet, judge(packet))),
    ],
  };
}

const differs = (
  { intent, guard, ruleset }: Case,
  between: Difference["between"],
  packets: readonly Packet[],
  expected: string,
  found: string,
): Difference => ({ between, packets, expected, found, intent, guard, ruleset });

/** What the oracle reads otherwise. Of rules that two rows gave it knows one only that both may be. */
function misreadings(
  one: Case,
  packet: Packet,
  { verdict, row, tally }: PacketVerdict,
): readonly Difference[] {
  if (one.intent === null) return [];
  const opinion = opinionOf(one.intent.rows, one.intent.host, packet, one.guard);
  const rowFits =
    opinion.rows.length === 0 ? row === null : opinion.rows.some((each) => row?.startsWith(each));
  if (verdict === opinion.verdict && tally === opinion.tally && rowFits) return [];
  const expected = `${opinion.verdict} by ${opinion.rows.join(" or ") || "no row"}, ${opinion.tally ?? "-"}`;
  const found = `${verdict} by ${row ?? "no row"}, ${tally ?? "-"}`;
  return [differs(one, "simulate and oracle", [packet], expected, found)];
}

function countDifferences(
  one: Case,
  packets: readonly Packet[],
  judge: (packet: Packet) => PacketVerdict,
  counters: ReadonlyMap<string, number>,
): readonly Difference[] {
  const counted = packets.flatMap((packet) =>
    deciding(judge, packet).flatMap((judgement) =>
      countersOf(one, packet, judgement).map((name) => ({ name, packet })),
    ),
  );
  const expected = Map.groupBy(counted, ({ name }) => name);
  return [...new Set([...expected.keys(), ...counters.keys()])].flatMap((name) => {
    const of = expected.get(name) ?? [];
    const found = counters.get(name) ?? 0;
    if (of.length === found) return [];
    const concerned = of.map(({ packet }) => packet);
    const said = `${of.length} counted by ${name}`;
    return [differs(one, "kernel and simulate", concerned, said, String(found))];
  });
}

function countersOf(
  { ruleset }: Case,
  packet: Packet,
  { verdict, row, rule, tally }: PacketVerdict,
): readonly string[] {
  const own = rule === null ? undefined : ruleset.rules[rule]?.counter;
  const invalid =
    packet.hook === "input" &&
    packet.state === "invalid" &&
    verdict === "drop" &&
    row === null &&
    tally === null;
  return [own, tally, invalid ? invalidCounter : null].filter(
    (name) => name !== undefined && name !== null,
  );
}

/** Every judgement that a packet meets: between two overlays the one it leaves accepts before the other is asked. */
function deciding(
  judge: (packet: Packet) => PacketVerdict,
  packet: Packet,
): readonly PacketVerdict[] {
  const last = judge(packet);
  if (packet.hook !== "forward" || last.tally !== "c_ingress") return [last];
  const leaving = judge({ ...packet, oif: "nowhere0" });
  return leaving.tally === null ? [last] : [leaving, last];
}
