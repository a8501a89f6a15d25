/**
 * A step of a rollout in a large fleet: that a host costs no more in a larger one. Measured is the dearest step, the
 * minute's with the newest report of every host, with half of the fleet committed and the next wave due.
 */
import { begin, step, type Evidence, type RolloutState } from "#core/rollout/index.ts";
import { Gates } from "#schema/rollout.ts";
import type { Row } from "./poll.ts";

const rounds = 100;
const now = 1_800_000_000_000;

/** Ratios are to be at most their goal. The best round of each counts, as a step is shorter than a slice of a busy machine's time. */
export const bench = (): Promise<readonly Row[]> => {
  const [small, large] = [fleetOf(1000), fleetOf(10_000)];
  const measured = Array.from({ length: rounds }, () => ({
    value: perHost(large),
    floor: perHost(small),
  }));
  const value = Math.min(...measured.map((round) => round.value));
  const floor = Math.min(...measured.map((round) => round.floor));
  const name = "µs per host of a rollout's step: 10,000 beside 1,000";
  return Promise.resolve([{ name, value, floor, ratio: value / floor, goal: 3 }]);
};

interface Fleet {
  readonly state: RolloutState;
  readonly evidence: readonly Evidence[];
}

function fleetOf(count: number): Fleet {
  const hosts = Array.from({ length: count }, (_, i) => `host-${i}`);
  const half = hosts.slice(0, count / 2);
  const begun = begin({
    plan: { narrow: [], widen: [half, hosts.slice(count / 2)] },
    pinned: [],
    states: new Map(),
    gates: Gates.parse({}),
    pollSeconds: 30,
    emergency: false,
    by: "operator",
  });
  const entries = begun.entries.map((entry) =>
    entry.wave === 1
      ? {
          ...entry,
          standing: "assigned" as const,
          seq: 2,
          assignedAt: now,
          lastReportAt: now,
          baseline: 0,
        }
      : entry,
  );
  const evidence = hosts.map((host, i): Evidence => ({
    host,
    receivedAt: now + 1000,
    state: "steady",
    appliedMode: "enforce",
    appliedSeq: i < count / 2 ? 2 : 1,
    seenSeq: i < count / 2 ? 2 : 1,
    revertedSeq: null,
    refusal: null,
    drift: 0,
    denyRate: 0,
    suspectedClone: false,
    heartbeats: true,
  }));
  return { state: { ...begun, entries }, evidence };
}

/** The commits of half of the fleet, then the step after their bake, which assigns: microseconds. */
function perHost({ state, evidence }: Fleet): number {
  const start = performance.now();
  const committed = step(state, { kind: "evidence", evidence }, now + 2000);
  if ("refused" in committed) throw new Error(committed.refused);
  const next = step(committed.state, { kind: "evidence", evidence }, now + 700_000);
  if ("refused" in next || next.effects.length !== 1) throw new Error("the next wave was due");
  return ((performance.now() - start) / state.entries.length) * 1000;
}
