/** How a rollout begins: waves as entries, and gates as they will hold. Nothing is given to a host here. */
import type { Gates, Phase } from "#schema/rollout.ts";
import type { Entry, RolloutState } from "./state.ts";
import type { Waves } from "./waves.ts";

export interface Beginning {
  /** Waves of the hosts that lose something (empty in a release of one phase), and of those that gain. */
  readonly plan: Readonly<Record<Phase, Waves>>;
  readonly pinned: readonly string[];
  readonly gates: Gates;
  readonly pollSeconds: number;
  readonly emergency: boolean;
  /** Who starts it; counts as the first approval. */
  readonly by: string;
}

/** An emergency does not bake; any other wave bakes for four polls at least, so that a quarter of it is one. */
export function begin({ plan, pinned, gates, pollSeconds, emergency, by }: Beginning): RolloutState {
  const bake = emergency ? 0 : Math.max(gates.bake_seconds, 4 * pollSeconds);
  return {
    status: emergency ? "awaiting_approval" : "running",
    reason: "",
    emergency,
    gates: { ...gates, bake_seconds: bake },
    phase: plan.narrow.length > 0 ? "narrow" : "widen",
    wave: 1,
    waveStartedAt: null,
    entries: [
      ...entriesOf("narrow", plan.narrow),
      ...entriesOf("widen", plan.widen),
      ...pinned.map((host) => entry(host, "widen", 0)),
    ],
    approvals: [by],
  };
}

const entriesOf = (phase: Phase, waves: Waves): readonly Entry[] =>
  waves.flatMap((hosts, i) => hosts.map((host) => entry(host, phase, i + 1)));

/** Wave 0 is no wave: a person keeps that host where it is. */
const entry = (host: string, phase: Phase, wave: number): Entry => ({
  host,
  phase,
  wave,
  standing: wave === 0 ? "skipped" : "pending",
  seq: null,
  assignedAt: null,
  settledAt: null,
  affirmedAt: null,
  heardAt: null,
  baseline: null,
  detail: wave === 0 ? "pinned" : "",
});
