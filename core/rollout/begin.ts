/** How a rollout begins: waves as entries, and gates as they will hold. Nothing is given to a host here. */
import type { Gates, Phase } from "#schema/rollout.ts";
import type { AgentState } from "#schema/wire.ts";
import { isIll } from "./evidence.ts";
import type { Entry, RolloutState } from "./state.ts";
import type { Waves } from "./waves.ts";

export interface Beginning {
  /** Waves of the hosts that lose something (empty in a release of one phase), and of those that gain. */
  readonly plan: Readonly<Record<Phase, Waves>>;
  readonly pinned: readonly string[];
  /** Newest states of hosts, by name; a host that never reported is not among them. */
  readonly states: ReadonlyMap<string, AgentState>;
  readonly gates: Gates;
  readonly pollSeconds: number;
  readonly emergency: boolean;
  /** Who starts it; counts as the first approval. */
  readonly by: string;
}

/** An emergency does not bake; any other wave bakes for four polls at least, so that a quarter of it is one. */
export function begin({
  plan,
  pinned,
  states,
  gates,
  pollSeconds,
  emergency,
  by,
}: Beginning): RolloutState {
  const bake = emergency ? 0 : Math.max(gates.bake_seconds, 4 * pollSeconds);
  return {
    status: emergency ? "awaiting_approval" : "running",
    reason: "",
    pausedBy: null,
    emergency,
    gates: { ...gates, bake_seconds: bake },
    phase: plan.narrow.length > 0 ? "narrow" : "widen",
    wave: 1,
    waveStartedAt: null,
    entries: [
      ...entriesOf("narrow", plan.narrow, states),
      ...entriesOf("widen", plan.widen, states),
      ...pinned.map((host) => entry(host, "widen", 0, "pinned")),
    ],
    approvals: [by],
  };
}

const entriesOf = (phase: Phase, waves: Waves, states: Beginning["states"]): readonly Entry[] =>
  waves.flatMap((hosts, i) =>
    hosts.map((host) => entry(host, phase, i + 1, describeOutlook(states.get(host)))),
  );

/** What is known before the start of how a host will answer; empty where it will take what it is given. */
function describeOutlook(state: AgentState | undefined): string {
  if (state === "adopting") return "adopting: it will count this and enforce nothing";
  return isIll(state) ? `${state === "hold" ? "in hold" : state}: it waits apart` : "";
}

/** Wave 0 is no wave: a person keeps that host where it is. */
const entry = (host: string, phase: Phase, wave: number, detail: string): Entry => ({
  host,
  phase,
  wave,
  standing: wave === 0 ? "skipped" : "pending",
  seq: null,
  assignedAt: null,
  settledAt: null,
  affirmedAt: null,
  lastReportAt: null,
  stateBefore: null,
  baseline: null,
  detail,
});
