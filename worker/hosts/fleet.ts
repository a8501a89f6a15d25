/**
 * What one isolate knows about the whole fleet: which hosts changed since which generation, and whose key is good.
 * At most 5 s old, so that a poll of an unchanged host touches no storage and a revocation is everywhere within 5 s.
 *
 * When the store fails, what is known serves on for 5 minutes: hosts keep polling, and nobody new is let in by it,
 * because enrolment and tokens read the store itself.
 */
import type { Ports } from "#worker/ports/index.ts";
import { type Changes, readChangesSince } from "./change-rows.ts";

/** Milliseconds. Together with the wait for a refresh under way it stays below 5 s. */
const freshFor = 4_000;
const servedWhileRefreshing = 5_000;
const servedOnError = 300_000;
const retryAfter = 1_000;

export interface HostState {
  /** Generation of the last change of this host's repository or identity. */
  readonly changed: number;
  /** The enrolment its good key came from; undefined when it has none or it was revoked. */
  readonly enrolment: string | undefined;
}

export interface FleetState {
  readonly generation: number;
  readonly root: number;
  readonly hosts: ReadonlyMap<string, HostState>;
  /** Milliseconds since the Unix epoch. */
  readonly readAt: number;
}

export interface Fleet {
  /**
   * The fleet as known now, read from the store when what is remembered is too old.
   * @param atLeast a generation that exists for certain: an older state is refreshed first, once
   */
  current(atLeast?: number): Promise<FleetState>;
  /** The same from memory; undefined when the store must be asked, which this does not do. */
  remembered(atLeast?: number): FleetState | undefined;
  /** After a write in this process: the next poll looks again. */
  expire(): void;
}

export function openFleet(ports: Pick<Ports, "sql" | "clock">): Fleet {
  let known: FleetState | undefined;
  /** Writes in this process so far, and how many of them `known` has seen. */
  let writes = 0;
  let writesSeen = 0;
  let askedFor = 0;
  let failedAt = -Infinity;
  let flight: Flight | undefined;

  const read = async (base: FleetState | undefined, now: number): Promise<FleetState> => {
    const changes = await readChangesSince(ports.sql, base?.generation ?? -1);
    // A store that went back in time (restored) has forgotten what the state here is made of.
    if (base !== undefined && changes.generation < base.generation) return read(undefined, now);
    return fold(base, changes, now);
  };

  const refresh = (now: number): Promise<FleetState> => {
    const base = known;
    const upTo = writes;
    const endRead = (): void => {
      if (flight === mine) flight = undefined;
    };
    const state = read(base, now).then(
      (fresh) => {
        endRead();
        writesSeen = upTo;
        known = fresh;
        return fresh;
      },
      (error: unknown) => {
        endRead();
        failedAt = now;
        if (base !== undefined && now - base.readAt < servedOnError) return base;
        throw error;
      },
    );
    const mine: Flight = { startedAt: now, writes: upTo, state };
    flight = mine;
    return state;
  };

  const isBehind = (atLeast: number): boolean =>
    known !== undefined && known.generation < atLeast && askedFor < atLeast;

  const findRemembered = (atLeast: number): FleetState | undefined => {
    if (known === undefined || writesSeen !== writes || isBehind(atLeast)) return undefined;
    const now = ports.clock.now();
    const age = now - known.readAt;
    // The clock was set back: how old it is cannot be told.
    if (age < 0) return undefined;
    const refreshing = flight !== undefined && age < servedWhileRefreshing;
    const failing = now - failedAt < retryAfter && age < servedOnError;
    return age < freshFor || refreshing || failing ? known : undefined;
  };

  return {
    remembered: (atLeast = 0) => findRemembered(atLeast),
    async current(atLeast = 0) {
      const state = findRemembered(atLeast);
      if (state !== undefined) return state;
      const now = ports.clock.now();
      // A flight that another request began may die with that request: it is joined only while young.
      const joinable =
        flight !== undefined && now - flight.startedAt < 1_000 && flight.writes === writes;
      if (flight !== undefined && joinable && !isBehind(atLeast)) return flight.state;
      askedFor = Math.max(askedFor, atLeast);
      return refresh(now);
    },
    expire() {
      writes += 1;
    },
  };
}

interface Flight {
  readonly startedAt: number;
  readonly writes: number;
  readonly state: Promise<FleetState>;
}

function fold(base: FleetState | undefined, changes: Changes, readAt: number): FleetState {
  const { generation, root } = changes;
  if (changes.repositories.length === 0 && changes.identities.length === 0)
    return { generation, root, hosts: base?.hosts ?? new Map(), readAt };
  const hosts = new Map(base?.hosts);
  const merge = (host: string, changed: number, enrolment: string | undefined): void => {
    hosts.set(host, { changed: Math.max(changed, hosts.get(host)?.changed ?? 0), enrolment });
  };
  for (const row of changes.repositories)
    merge(row.host, row.generation, hosts.get(row.host)?.enrolment);
  for (const row of changes.identities)
    merge(row.host, row.generation, row.revoked_at === null ? row.enrolment : undefined);
  return { generation, root, hosts, readAt };
}
