/** Puts the rooms together for a host that has joined. */
import { processNames } from "#agent/cycle/adoption.ts";
import type { Agent } from "#agent/cycle/agent.ts";
import { cutFlows } from "#agent/flows/conntrack.ts";
import { openNft, type Nft } from "#agent/backend/nft/nft.ts";
import { spawnExec, spawnFollow, spawnStream } from "#agent/process/spawn.ts";
import { openWatchdog } from "#agent/backend/nft/watchdog.ts";
import { Witness } from "#agent/backend/nft/witness.ts";
import { type Options, UsageError } from "./args.ts";
import { openLeaseClock, systemClocks } from "#agent/disk/clock.ts";
import { fallbackOf } from "#agent/cycle/fallback.ts";
import { guardReader, type LoadedGuard } from "../guard/index.ts";
import { describeDrift, DriftLog } from "../observe/drift-log.ts";
import { openEventLog, recordDrift } from "../observe/event-log.ts";
import { openIntended } from "#agent/cycle/intended.ts";
import { readListeners } from "../observe/listeners.ts";
import { Patrol } from "../observe/patrol.ts";
import { ServiceWatch } from "../observe/service-watch.ts";
import { holdFile } from "#agent/disk/marks.ts";
import { type HostIdentity, readIdentity } from "#agent/disk/identity.ts";
import { openKernel } from "#agent/backend/kernel.ts";
import type { Parts } from "#agent/cycle/parts.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { openClient } from "../transport/client.ts";
import { parseEndpoint } from "../transport/endpoint.ts";
import { findEnvironmentFault } from "../transport/environment.ts";
import { defaultLimits } from "../transport/request.ts";
import { openTrust, type TrustedBundle } from "../trust/index.ts";

/** What the commands say and read; handed in, so that a test can listen. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly log: (line: string) => void;
  readonly stdin: () => Promise<string>;
  /** Ends `run`: SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
}

/** @throws Refused `state_invalid` on a host that has not joined */
function readJoined(options: Options): HostIdentity {
  const identity = readIdentity(options.stateDir);
  if (identity === undefined)
    throw new Refused("state_invalid", "this host has not joined; run join first");
  return identity;
}

/** URL of this host's control plane, which its guard must leave open. @throws Refused */
export const controlPlaneOf = (options: Options): string =>
  parseEndpoint(options.url ?? readJoined(options).url).url;

/** @throws UsageError that names what is set around this program and may not be */
export function requireEnvironment(url: string): void {
  const fault = findEnvironmentFault(process.env, new URL(url));
  if (fault !== undefined) throw new UsageError(fault);
}

export const nftOf = (options: Options): Nft => openNft(spawnExec(), options.nft);

/** What this host holds, as the trust room believes it. @throws Refused, also where it holds no bundle yet */
export function readTrustedBundle(options: Options): TrustedBundle {
  const identity = readJoined(options);
  const now = openLeaseClock(options.stateDir, systemClocks()).now();
  const trust = openTrust(options.stateDir, { ...identity, rootSha256: identity.root_sha256 }, now);
  if (!trust.ok) throw new Refused(trust.refusal.code, trust.refusal.message);
  const bundle = trust.value.readHeld();
  if (bundle === undefined)
    throw new Refused("state_invalid", "no bundle is held yet; run once first");
  return bundle;
}

/** @throws Refused */
export function openParts(
  options: Options,
  log: (line: string) => void,
  witness: Witness = new Witness(),
): Parts {
  const identity = readJoined(options);
  const url = controlPlaneOf(options);
  const clock = openLeaseClock(options.stateDir, systemClocks());
  const fallback = fallbackOf(options.guard);
  return {
    directory: options.stateDir,
    fallback,
    readGuard: guardReader(options.guard, url),
    identity,
    url,
    cycleMs: defaultLimits.cycleMs,
    trust: openTrust(
      options.stateDir,
      { ...identity, rootSha256: identity.root_sha256 },
      clock.now(),
    ),
    client: openClient(url, identity, defaultLimits),
    kernel: openKernel(
      openNft(spawnExec({ started: (pid) => witness.noteStarted(pid) }), options.nft, witness),
    ),
    watchdog: openWatchdog(options.stateDir, fallback, options.nft),
    processes: processNames,
    pass: () => undefined,
    drift: new DriftLog(),
    events: openEventLog(options.stateDir, Date.now, log),
    services: new ServiceWatch(readListeners, log),
    cutFlows: (rules, before) =>
      cutFlows(
        { exec: spawnExec(), stream: spawnStream() },
        rules,
        before,
        Math.floor(Date.now() / 1000),
      ),
    now: () => clock.wall(),
    clock,
    log,
  };
}

/** The watch over our table for an agent at work; `parts` and `witness` are the agent's. */
export function openPatrol(options: Options, parts: Parts, witness: Witness, agent: Agent): Patrol {
  const { directory, readGuard, kernel, drift, events, now, log } = parts;
  const intended = openIntended({ directory, readGuard, holdFile: holdFile(directory) });
  return new Patrol({
    kernel,
    follow: spawnFollow(),
    nft: options.nft,
    witness,
    log: drift,
    intended: () => {
      const program = intended(agent.state);
      return program === undefined ? undefined : agent.times.limitProgram(program);
    },
    mode: () => readDriftMode(readGuard),
    now,
    tell: (found) => {
      log(describeDrift(found));
      recordDrift(events, found);
    },
  });
}

/** An unreadable guard says nothing about drift, so the default stands. */
function readDriftMode(readGuard: () => LoadedGuard): "repair" | "report" {
  try {
    return readGuard().guard.drift;
  } catch (error) {
    if (error instanceof Refused) return "repair";
    throw error;
  }
}
