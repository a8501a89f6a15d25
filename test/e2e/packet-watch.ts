/**
 * Packets while something happens: the same questions round after round, each round at one moment, and every answer
 * kept, so that a test can say what was never open, however shortly.
 */
import type { Lab } from "#lab/story/lab.ts";
import { askOf } from "#lab/net/probe.ts";
import { onTestFinished } from "vitest";

/** What one round reached, as `from > to asked`; in one family is enough. */
export type Round = ReadonlySet<string>;

export interface PacketWatch {
  /** Ends it after the round under way. @returns all rounds, in order */
  stop(): Promise<readonly Round[]>;
}

/** One round. @param questions each `from > to asked`, such as `gw > web1 tcp/443` */
export async function reached(lab: Lab, questions: readonly string[]): Promise<Round> {
  const probes = questions.map((question) => {
    const [, from = "", to = "", asked = ""] = /^(\S+) > (\S+) (\S+)$/.exec(question) ?? [];
    return { from: lab.network.station(from), to: lab.network.station(to), ask: askOf(asked) };
  });
  const answers = await lab.probers.answers(probes);
  return new Set(questions.filter((_, i) => answers[i]?.v4 === true || answers[i]?.v6 === true));
}

const ignore = (): void => undefined;

/** Asks again and again. Probers take one order at a time, so nobody else may ask meanwhile. */
export function watchPackets(lab: Lab, questions: readonly string[]): PacketWatch {
  const rounds: Round[] = [];
  let stopped = false;
  const asking = (async () => {
    while (!stopped) rounds.push(await reached(lab, questions));
  })();
  const stop = async (): Promise<readonly Round[]> => {
    stopped = true;
    await asking;
    return rounds;
  };
  // A test that failed meanwhile has its own reason; its lab must not be closed under a round.
  onTestFinished(() => stop().then(ignore, ignore));
  return { stop };
}
