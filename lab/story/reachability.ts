/**
 * Who reaches whom, three times over: the packet in the kernel, `simulate` on the rulesets that the hosts run, and the
 * expectation written by hand. A probe agrees when all three say the same. Only what is open or differs is printed.
 */
import type { Checks } from "./checks.ts";
import { findExpectedVerdict, type Stage } from "./expected.ts";
import { type Simulator, simulateProbe } from "./probe-verdict.ts";
import type { Network, Station } from "#lab/net/network.ts";
import type { Printer } from "#lab/run/print.ts";
import { families, type Probe, type Probers } from "#lab/net/probe.ts";
import { everyProbe } from "./questions.ts";
import { type Finding, type OpenLine, printDifferences, printOpen } from "./reachability-table.ts";

const agrees = ({ packet, simulated, expected }: Finding): boolean =>
  packet === expected && simulated === expected;

/** How many of all probes are answered: all of them while no rule stands, or a broken lab would pass for a firewall. */
export async function countReached(
  probers: Probers,
  network: Network,
): Promise<{ readonly reached: number; readonly of: number }> {
  const answers = (await probers.answers(everyProbe(network.stations))).flatMap(({ v4, v6 }) => [
    v4,
    v6,
  ]);
  return { reached: answers.filter((reached) => reached).length, of: answers.length };
}

export interface Compared {
  readonly probers: Probers;
  readonly network: Network;
  readonly gateway: Station;
  readonly simulators: ReadonlyMap<string, Simulator>;
  readonly print: Printer;
  readonly checks: Checks;
}

/**
 * Sends every probe, counts each, and prints what is open.
 * @param before what was open at an earlier stage: then only what changed since is printed
 * @returns what is open now
 */
export async function compareReachability(
  { probers, network, gateway, simulators, print, checks }: Compared,
  stage: Stage,
  before?: readonly OpenLine[],
): Promise<readonly OpenLine[]> {
  const probes = everyProbe(network.stations);
  const answers = await probers.answers(probes);
  const findings = families.flatMap((family) =>
    probes.map((probe, i): Finding => {
      const { verdict, row } = simulateProbe(simulators, gateway, probe, family);
      const packet = answers[i]?.[family] === true ? "accept" : "drop";
      const expected = findExpectedVerdict(stage, probe);
      return {
        probe,
        family,
        packet,
        simulated: verdict,
        expected,
        row: row ?? describeUnasked(probe),
      };
    }),
  );
  for (const finding of findings) checks.count(agrees(finding));
  const open = printOpen(print, findings, before);
  printDifferences(
    print,
    findings.filter((finding) => !agrees(finding)),
  );
  const agreed = findings.filter(agrees);
  const shut = agreed.filter(({ expected }) => expected === "drop").length;
  print.progress(
    `of ${findings.length} probes, as expected: ${agreed.length - shut} open, ${shut} shut; ${findings.length - agreed.length} differ`,
  );
  return open;
}

const describeUnasked = ({ to }: Probe<Station>): string =>
  to.managed ? "always let in" : "no agent there";
