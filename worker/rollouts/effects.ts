/**
 * What a rollout's step asks for, as statements of its own batch: levels of hosts change, their content follows from
 * that, and what differs from what they are served is signed and published. Equal bytes publish nothing.
 */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import type { ReleaseLevel } from "#schema/rollout.ts";
import type { Ports } from "#worker/ports/index.ts";
import type { Pending, Repository } from "#worker/signing/index.ts";
import type { Effect } from "#core/rollout/index.ts";
import {
  basesOf,
  findChanged,
  forget,
  type Level,
  levelOf,
  type Publications,
  makePublicationStatements,
  publish,
  readHostLevels,
  readVersions,
  nothingWithheld,
  type Served,
  servedOf,
  readServedSeqs,
  setLevel,
  shareLevels,
  type HostLevel,
  withhold,
} from "#worker/served/index.ts";
import { type Intent, readHead, readIntent } from "#worker/intent/index.ts";

export interface Executed {
  readonly statements: readonly D1PreparedStatement[];
  /** Seq that each host of the effects is served from now on; a host that is served nothing is left out. */
  readonly seqs: ReadonlyMap<string, number>;
}

/** Intent without what a level withholds does not compile: nothing can be published for it. */
export class Uncompilable extends Error {
  override readonly name = "Uncompilable";
}

/**
 * @param upTo the rollout's revision: only what is withheld up to it changes its level
 * @throws Uncompilable for an assignment; a restoration always has an answer
 */
export async function execute(
  ports: Ports,
  upTo: number,
  effects: readonly Effect[],
): Promise<Executed> {
  const { sql } = ports;
  const hosts = [...new Set(effects.flatMap((effect) => effect.hosts))];
  if (hosts.length === 0) return { statements: [], seqs: new Map() };
  const intent = await readHead(sql);
  const levels = await readHostLevels(sql, hosts);
  const statements: D1PreparedStatement[] = [];
  const wanted = new Map<string, Level>();
  const firm = new Set<string>();
  for (const effect of effects) {
    const level = findLevelAfter(effect);
    if (level === undefined) {
      statements.push(forget(sql, upTo, effect.hosts));
      continue;
    }
    statements.push(setLevel(sql, upTo, level, effect.hosts));
    for (const host of effect.hosts) {
      wanted.set(host, levelOf(atLevel(levels.get(host) ?? [], upTo, level)));
      if (effect.kind !== "assign") firm.add(host);
    }
  }
  const published = await publishLevels(ports, intent, shareLevels(wanted), firm);
  const seqs = new Map(await readServedSeqs(sql, [...wanted.keys()]));
  for (const { host, seq } of [...published.updated, ...published.added, ...published.pending])
    seqs.set(host, seq);
  const at = ports.clock.now();
  return {
    statements: [
      ...statements,
      ...published.also,
      ...makePublicationStatements(sql, at, published),
    ],
    seqs,
  };
}

/** Undefined where the withholding ends. */
function findLevelAfter(effect: Effect): ReleaseLevel | undefined {
  switch (effect.kind) {
    case "assign":
      return effect.phase === "narrow" ? "narrowed" : "released";
    case "narrow":
      return "narrowed";
    case "restore":
      return "withheld";
    case "release":
      return undefined;
  }
}

const atLevel = (
  levels: readonly HostLevel[],
  upTo: number,
  level: ReleaseLevel,
): readonly HostLevel[] => levels.map((own) => (own.revision <= upTo ? { ...own, level } : own));

interface Published extends Publications {
  readonly added: Repository[];
  readonly updated: Repository[];
  readonly pending: Pending[];
  readonly also: D1PreparedStatement[];
}

async function publishLevels(
  ports: Ports,
  intent: Intent,
  levels: ReadonlyMap<string, Level>,
  firm: ReadonlySet<string>,
): Promise<Published> {
  const groups = Map.groupBy(levels.keys(), (host) => levels.get(host) ?? nothingWithheld);
  const versions = await readVersions(ports.sql, [
    ...new Set([...groups.keys()].flatMap(({ withheld }) => withheld)),
  ]);
  const all: Published = { added: [], updated: [], pending: [], also: [] };
  for (const [level, hosts] of groups) {
    const served = servedOf(basesOf(intent, versions, level));
    const given = served.ok
      ? { served, level }
      : hosts.every((host) => firm.has(host))
        ? await fallBack(ports, intent.revision, level)
        : refuseUncompilable(served);
    for (const revision of given.level.withheld.filter((each) => !level.withheld.includes(each)))
      all.also.push(withhold(ports.sql, revision, hosts));
    const changing = await findChanged(ports.sql, hosts, given.served.content);
    const made = await publish(ports, findNewest(intent.revision, given.level), changing);
    all.added.push(...made.added);
    all.updated.push(...made.updated);
    all.pending.push(...made.pending);
  }
  return all;
}

type Compiled = Extract<Served, { readonly ok: true }>;

function refuseUncompilable({ diagnostics }: Exclude<Served, Compiled>): never {
  throw new Uncompilable(diagnostics.find(({ severity }) => severity === "error")?.message);
}

/** Later revisions stand on what is taken back: they are taken back too, to intent as it was before, which did compile. */
async function fallBack(
  { sql }: Ports,
  head: number,
  { withheld }: Level,
): Promise<{ readonly served: Compiled; readonly level: Level }> {
  const first = Math.min(...withheld);
  const before = await readIntent(sql, first - 1);
  const served = before === undefined ? undefined : servedOf(basesOf(before, [], nothingWithheld));
  if (served?.ok !== true) throw new Error(`intent before revision ${first} does not compile`);
  const all = Array.from({ length: head - first + 1 }, (_, i) => first + i);
  return { served, level: { withheld: all, narrowed: [] } };
}

/** The last revision that hosts of a level have; the first one for a host that has none, to be told to close. */
function findNewest(head: number, { withheld }: Level): number {
  const away = new Set(withheld);
  let revision = head;
  while (revision > 1 && away.has(revision)) revision -= 1;
  return revision;
}
