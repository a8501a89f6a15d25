/**
 * Starting a rollout: which hosts lose and which gain, their waves, and the rollouts that it takes over from. All of it
 * is one audited batch; giving the first wave its content is the first transition after it.
 */
import { covers } from "#core/compile/covers.ts";
import { meet } from "#core/compile/meet.ts";
import { encodeBundle } from "#schema/bundle.ts";
import type { Phase, RolloutRequest } from "#schema/rollout.ts";
import type { AgentState } from "#schema/wire.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import { begin, type Candidate, isIll, planWaves, wavesDigest } from "#core/rollout/index.ts";
import { type Attempt, writeAudited, type Author, nameOf } from "#worker/db/audit.ts";
import { readEvidence } from "#worker/reports/index.ts";
import { type Intent, readHead } from "#worker/intent/index.ts";
import {
  type Bases,
  basesOf,
  type Content,
  forget,
  type Level,
  readReleases,
  readVersions,
  type Releases,
  servedOf,
} from "#worker/served/index.ts";
import { insertRollout, readNextRollout } from "./rows.ts";
import { advance } from "./advance.ts";
import { nothingTaken, takeOver } from "./take-over.ts";

export interface Started {
  readonly id: number;
  /** Rollouts whose unfinished hosts it took over. */
  readonly supersedes: readonly number[];
}

/**
 * @throws Refused `bad_request` for a revision that does not exist; `nothing_to_release`; `conflict` when a host's
 * content would not compile on the way; `busy`
 */
export async function startRollout(
  ports: Ports,
  author: Author,
  request: RolloutRequest,
): Promise<Started> {
  const started = await writeAudited(ports.sql, () => attempt(ports, author, request));
  await advance(ports, started.id);
  return started;
}

async function attempt(
  ports: Ports,
  author: Author,
  request: RolloutRequest,
): Promise<Attempt<Started>> {
  const { sql, settings } = ports;
  const intent = await readHead(sql);
  const revision = request.revision ?? intent.revision;
  if (revision > intent.revision)
    throw new Refused("bad_request", { detail: `Head is revision ${intent.revision}.` });
  const releases = await readReleases(sql);
  const { changing, same, pinned, states } = await hostsOf(
    ports,
    intent,
    releases,
    revision,
    request.hosts,
  );
  if (changing.length + pinned.length === 0 && same.length === 0)
    throw new Refused("nothing_to_release", {
      detail: `Up to revision ${revision} every host has all.`,
    });
  const plan = wavesOf(changing, request);
  const { gates, emergency, strategy, note } = request;
  const state = begin({
    plan,
    pinned,
    states,
    gates,
    pollSeconds: settings.pollSeconds,
    emergency,
    by: nameOf(author),
  });
  const id = await readNextRollout(sql);
  const at = ports.clock.now();
  const on_behalf_of = request.on_behalf_of ?? null;
  const row = {
    id,
    revision,
    at,
    by: nameOf(author),
    on_behalf_of,
    note,
    strategy,
    waves_sha256: wavesDigest(plan),
  };
  const rest = {
    gates: state.gates,
    emergency,
    status: state.status,
    reason: state.reason,
    paused_by: state.pausedBy,
  };
  const place = {
    phase: state.phase,
    wave: state.wave,
    wave_started_at: null,
    superseded_by: null,
  };
  // An emergency takes nothing from anybody before it is approved.
  const taken = emergency
    ? nothingTaken
    : await takeOver(
        ports,
        id,
        changing.map(({ host }) => host),
      );
  return {
    write: true,
    result: { id, supersedes: taken.rollouts },
    statements: [
      ...insertRollout(sql, { ...row, ...rest, ...place }, state),
      ...taken.statements,
      ...(same.length === 0 ? [] : [forget(sql, revision, same)]),
    ],
    entry: {
      at,
      actor: author,
      on_behalf_of,
      action: "rollout.start",
      revision: null,
      body: { rollout: id, revision, note, emergency, plan, pinned, supersedes: taken.rollouts },
    },
  };
}

/** A host that the rollout changes. Equal packets are no loss and no gain, however the bytes differ. */
interface Changing extends Candidate {
  /** It must lose something that others may depend on, and it gets something that it does not have. */
  readonly loses: boolean;
  readonly gains: boolean;
  /** What it loses leaves it the very bytes that it is to have in the end. */
  readonly settles: boolean;
}

interface Hosts {
  readonly changing: readonly Changing[];
  /** Hosts whose bytes stay the same: there is nothing to wait for. */
  readonly same: readonly string[];
  readonly pinned: readonly string[];
  /** Newest states of the hosts that it changes, by name. */
  readonly states: ReadonlyMap<string, AgentState>;
}

async function hostsOf(
  { sql }: Ports,
  intent: Intent,
  { levels, pinned }: Releases,
  upTo: number,
  only: readonly string[] | undefined,
): Promise<Hosts> {
  const wanted = only === undefined ? undefined : new Set(only);
  const due = [...levels].filter(
    ([host, { withheld }]) =>
      (wanted === undefined || wanted.has(host)) && withheld.some((revision) => revision <= upTo),
  );
  const groups = Map.groupBy(
    due.filter(([host]) => !pinned.has(host)),
    ([, level]) => level,
  );
  const versions = await readVersions(sql, [
    ...new Set([...groups.keys()].flatMap(({ withheld }) => withheld)),
  ]);
  const evidence = await readEvidence(
    sql,
    [...groups.values()].flat().map(([host]) => host),
  );
  const states = new Map([...evidence].map(([host, { state }]) => [host, state]));
  const changing: Changing[] = [];
  const same: string[] = [];
  for (const [level, group] of groups) {
    const now = basesOf(intent, versions, level);
    const target = basesOf(intent, versions, after(level, upTo));
    const [before, then] = [contentOf(now, upTo), contentOf(target, upTo)];
    for (const [host] of group) {
      const [old, next] = [before(host), then(host)];
      const [a, b] = [old, next].map(bytesOf);
      const { roles = [], labels = {} } =
        target.low.hosts.get(host) ?? now.low.hosts.get(host) ?? {};
      if (a === b) same.push(host);
      else {
        const state = states.get(host);
        const enforces = state !== "adopting" && !isIll(state);
        const loses = takes(old, next);
        const settles = loses && bytesOf(meetContents(old, next)) === b;
        changing.push({ host, roles, labels, enforces, loses, gains: takes(next, old), settles });
      }
    }
  }
  return {
    changing,
    same,
    states,
    pinned: due.flatMap(([host]) => (pinned.has(host) ? [host] : [])),
  };
}

const after = ({ withheld, narrowed }: Level, upTo: number): Level => ({
  withheld: withheld.filter((revision) => revision > upTo),
  narrowed: narrowed.filter((revision) => revision > upTo),
});

function contentOf(bases: Bases, upTo: number): (host: string) => Content {
  const served = servedOf(bases);
  if (served.ok) return served.content;
  const because = served.diagnostics.find(({ severity }) => severity === "error");
  throw new Refused("conflict", {
    detail: `Up to revision ${upTo} it does not compile for hosts that lack what is withheld after it: ${because?.message ?? ""}.`,
  });
}

const meetContents = (a: Content, b: Content): Content => {
  if (a.mode === "closed") return a;
  return b.mode === "closed" ? b : { mode: "enforce", ruleset: meet(a.ruleset, b.ruleset) };
};

/** Whether some packet that the first lets in is not let in by the second. */
function takes(from: Content, to: Content): boolean {
  if (from.mode === "closed") return false;
  return to.mode === "closed" || !covers(to.ruleset, from.ruleset);
}

const bytesOf = ({ mode, ruleset }: Content): string =>
  `${mode} ${new TextDecoder().decode(encodeBundle(ruleset))}`;

/**
 * Two phases only where the change both takes and gives; an emergency is one wave of everybody. The second is for all
 * that do not have their last bytes after the first.
 */
function wavesOf(changing: readonly Changing[], { strategy, emergency }: RolloutRequest): Plan {
  if (emergency) return { narrow: [], widen: planWaves(changing, { kind: "all" }) };
  const losers = changing.filter(({ loses }) => loses);
  if (losers.length === 0 || !changing.some(({ gains }) => gains))
    return { narrow: [], widen: planWaves(changing, strategy) };
  const left = changing.filter(({ settles }) => !settles);
  return { narrow: planWaves(losers, strategy), widen: planWaves(left, strategy) };
}
type Plan = Readonly<Record<Phase, ReturnType<typeof planWaves>>>;
