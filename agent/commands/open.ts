/** Puts the rooms together for a host that has joined. */
import { type Parts } from "../agent.ts";
import { openNft, type Nft } from "../apply/nft.ts";
import { spawnExec } from "../apply/spawn.ts";
import { openWatchdog } from "../apply/watchdog.ts";
import type { Options } from "../args.ts";
import { openLeaseClock, systemClocks } from "../clock.ts";
import { type HostIdentity, readIdentity } from "../identity.ts";
import { openKernel } from "../kernel.ts";
import { Refused } from "../refusal.ts";
import { openClient } from "../transport/client.ts";
import { parseEndpoint } from "../transport/endpoint.ts";
import { defaultLimits } from "../transport/request.ts";
import { openTrust } from "../trust/index.ts";

/** What the commands say and read; handed in, so that a test can listen. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly log: (line: string) => void;
  readonly stdin: () => Promise<string>;
  /** Ends `run`: SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
}

/** @throws Refused `state_invalid` on a host that has not joined */
export function joined(options: Options): HostIdentity {
  const identity = readIdentity(options.stateDir);
  if (identity === undefined) throw new Refused("state_invalid", "this host has not joined; run join first");
  return identity;
}

export const nftOf = (options: Options): Nft => openNft(spawnExec(), options.nft);

/** @throws Refused */
export function openParts(options: Options, log: (line: string) => void): Parts {
  const identity = joined(options);
  const { url } = parseEndpoint(options.url ?? identity.url);
  return {
    directory: options.stateDir,
    guardPath: options.guard,
    identity,
    url,
    closedFirst: options.closedFirst,
    cycleMs: defaultLimits.cycleMs,
    trust: openTrust(options.stateDir, { ...identity, rootSha256: identity.root_sha256 }),
    client: openClient(url, identity, defaultLimits),
    kernel: openKernel(nftOf(options)),
    watchdog: openWatchdog(options.stateDir, options.nft),
    pass: () => undefined,
    now: Date.now,
    clock: openLeaseClock(options.stateDir, systemClocks()),
    log,
  };
}
