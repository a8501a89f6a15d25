/**
 * Who reaches whom, three times over: the packet in the kernel, `simulate` on the ruleset the control plane published,
 * and the expectation written by hand. A pair agrees when all three say the same.
 */
import type { Ruleset } from "#schema/ruleset.ts";
import { type Judgement, type Packet, prepare } from "#simulate/index.ts";
import type { Checks } from "./checks.ts";
import { expectedVerdict, type Stage } from "./expected.ts";
import type { Cell, Printer } from "./print.ts";
import { families, type LabFamily, type Place, reaches } from "./probe.ts";

export interface Pair {
  readonly from: Place;
  readonly to: Place;
}

/** One family's answer for one pair. */
interface Finding {
  readonly packet: "accept" | "drop";
  readonly simulated: string;
  readonly row: string;
  readonly agrees: boolean;
}

const echo = {
  v4: { request: 8, reply: 0 },
  v6: { request: 128, reply: 129 },
} as const satisfies Record<LabFamily, { request: number; reply: number }>;

/** Every ordered pair of clients, and every client with elsewhere both ways. */
export function pairsOf(clients: readonly Place[], elsewhere: Place): readonly Pair[] {
  const between = clients.flatMap((from) => clients.filter((to) => to !== from).map((to) => ({ from, to })));
  const out = clients.map((from) => ({ from, to: elsewhere }));
  return [...between, ...out, ...out.map(({ from, to }) => ({ from: to, to: from }))];
}

/** Where the gateway sees a place: clients behind the tunnel, everybody else on its other side. */
export type InterfaceOf = (place: Place) => string;

/** What `simulate` says of an echo and its answer: the first judgement that is not `accept`, else the request's. */
function judgeEcho(
  judge: (packet: Packet) => Judgement,
  { from, to }: Pair,
  family: LabFamily,
  interfaceOf: InterfaceOf,
): Judgement {
  const one = (
    source: Place,
    destination: Place,
    icmpType: number,
    state: "new" | "established",
  ): Packet => ({
    hook: "forward",
    iif: interfaceOf(source),
    oif: interfaceOf(destination),
    protocol: "icmp",
    icmpType,
    source: source.address[family],
    destination: destination.address[family],
    state,
  });
  const request = judge(one(from, to, echo[family].request, "new"));
  if (request.verdict !== "accept") return request;
  const reply = judge(one(to, from, echo[family].reply, "established"));
  return reply.verdict === "accept" ? request : reply;
}

/** Sends the packets of all pairs at once, prints the table and counts every cell. */
export async function compareReachability(
  pairs: readonly Pair[],
  stage: Stage,
  ruleset: Ruleset,
  interfaceOf: InterfaceOf,
  print: Printer,
  checks: Checks,
): Promise<void> {
  const judge = prepare(ruleset);
  const look = async (pair: Pair, family: LabFamily): Promise<Finding> => {
    const packet = (await reaches(pair.from, pair.to, family)) ? "accept" : "drop";
    const judged = judgeEcho(judge, pair, family, interfaceOf);
    const expected = expectedVerdict(stage, pair.from.name, pair.to.name);
    const agrees = packet === expected && judged.verdict === expected;
    return { packet, simulated: judged.verdict, row: judged.row ?? "no rule asked", agrees };
  };
  const rows = await Promise.all(
    pairs.map(async (pair) => ({
      pair,
      findings: await Promise.all(families.map((family) => look(pair, family))),
    })),
  );
  printHead(print);
  for (const { pair, findings } of rows) {
    for (const finding of findings) checks.count(finding.agrees);
    printRow(print, pair, findings);
  }
}

const nameWidth = 11;
const verdictWidth = 10;

/** Whether every pair reaches while no rule stands: without it, a broken lab would pass for a firewall. */
export async function everyPairReaches(pairs: readonly Pair[]): Promise<boolean> {
  const answers = pairs.flatMap(({ from, to }) => families.map((family) => reaches(from, to, family)));
  return (await Promise.all(answers)).every((reached) => reached);
}

function printHead(print: Printer): void {
  const cells = [
    { text: "  from", width: nameWidth + 2 },
    { text: "to", width: nameWidth },
    ...["packet v4", "simulate", "packet v6", "simulate"].map((text) => ({ text, width: verdictWidth + 1 })),
    { text: "decided by" },
  ];
  print.line(...cells.map((cell): Cell => ({ ...cell, tone: "dim" })));
}

function printRow(print: Printer, pair: Pair, findings: readonly Finding[]): void {
  const verdicts = findings.flatMap(({ packet, simulated, agrees }): Cell[] =>
    [packet, simulated].map((text) => ({
      text,
      width: verdictWidth + 1,
      tone: agrees ? (text === "accept" ? "good" : "plain") : "bad",
    })),
  );
  const rows = [...new Set(findings.map(({ row }) => row))].join(", ");
  const trouble: Cell[] = findings.every(({ agrees }) => agrees) ? [] : [{ text: "  DIFFERS", tone: "bad" }];
  print.line(
    { text: `  ${pair.from.name}`, width: nameWidth + 2 },
    { text: pair.to.name, width: nameWidth },
    ...verdicts,
    { text: rows, tone: "dim" },
    ...trouble,
  );
}
