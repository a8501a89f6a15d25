/** What an agent is made of: every effect it can have comes in here, so that a test hands in the real ones or its own. */
import type { CutFlows } from "#agent/flows/conntrack.ts";
import type { Rules } from "#agent/flows/flows.ts";
import type { Watchdog } from "#agent/backend/nft/watchdog.ts";
import type { LeaseClock } from "#agent/disk/clock.ts";
import type { Failpoint } from "./enforce.ts";
import type { LoadedGuard } from "#agent/guard/index.ts";
import type { HostIdentity } from "#agent/disk/identity.ts";
import type { Kernel } from "#agent/backend/kernel.ts";
import type { DriftLog } from "#agent/observe/drift-log.ts";
import type { EventLog } from "#agent/observe/event-log.ts";
import type { ServiceWatch } from "#agent/observe/service-watch.ts";
import type { Outcome, Refusal } from "#agent/machine/refusal.ts";
import type { State } from "#agent/machine/state.ts";
import type { Client } from "#agent/transport/client.ts";
import type { Trust } from "#agent/trust/index.ts";

export interface Parts {
  readonly directory: string;
  /** Folder beside the guard file, where boot finds the closed ruleset when the state directory fails. */
  readonly fallback: string;
  /** @throws Refused `guard_invalid` */
  readonly readGuard: () => LoadedGuard;
  readonly identity: HostIdentity;
  readonly url: string;
  /** Milliseconds for everything one cycle asks of the network. */
  readonly cycleMs: number;
  readonly trust: Outcome<Trust>;
  readonly client: Client;
  readonly kernel: Kernel;
  readonly watchdog: Watchdog;
  readonly drift: DriftLog;
  readonly events: EventLog;
  readonly services: ServiceWatch;
  /** Ends the flows that `now` does not allow and `before` did. */
  readonly cutFlows: (now: Rules, before: Rules | undefined) => Promise<CutFlows>;
  /** Names of the processes of this host. */
  readonly processes: () => readonly string[];
  /** Called at each step of an apply: a test ends the process there. */
  readonly pass: (failpoint: Failpoint) => void;
  /** Milliseconds since the Unix epoch, by the wall clock as far as it is believed. */
  readonly now: () => number;
  /** By which leases age and the state machine goes. */
  readonly clock: LeaseClock;
  readonly log: (line: string) => void;
}

/** How a cycle went, for the pace of the next one and for `once`. */
export interface Cycle {
  readonly state: State;
  /** The last refusal of this cycle, if there was one. */
  readonly refusal: Refusal | undefined;
  /** True when the control plane answered with something believed, new or unchanged. */
  readonly believed: boolean;
  readonly pollAfter: string | undefined;
  /** For which the control plane asked not to be polled; 0 where it did not. */
  readonly waitMs: number;
}
