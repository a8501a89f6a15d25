/** Somebody else changes our table: it is as it was within two seconds, and the event says what was changed and by whom. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { type Exec, spawnExec, spawnFollow } from "#agent/process/spawn.ts";
import { Witness } from "#agent/backend/nft/witness.ts";
import { openKernel } from "#agent/backend/kernel.ts";
import { runPatrol } from "#agent/cycle/loop.ts";
import { DriftLog } from "#agent/observe/drift-log.ts";
import { Patrol } from "#agent/observe/patrol.ts";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must, waitUntil } from "#lab/run/process.ts";
import { type Program } from "#core/render/index.ts";
import type { Drift } from "#schema/wire.ts";
import { groupsRuleset, mustRender, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const namespace = makeNamespaceName(newPrefix(), "drift");
const prefix = inNamespace(namespace);
const nft = (...argv: readonly string[]) => must(inNamespace(namespace, "nft", ...argv));
const feed = (input: string) => must(inNamespace(namespace, "nft", "-f", "-"), { input });
const ours = () => nft("-s", "list", "table", "inet", "portcullis");

const groups = groupsRuleset({ dev: ["10.8.0.2", "10.8.0.3"], ops: ["10.8.0.9"] });
const ports = (port: number) => ({ kind: "ranges" as const, ranges: [{ from: port, to: port }] });
const host = rulesetOf({
  scopes: [{ kind: "host" }],
  rules: [443, 80].map((port) =>
    ruleOf({
      scope: "host",
      direction: "in",
      protocol: { kind: "tcp", ports: ports(port), sourcePorts: { kind: "any" } },
      verdict: "accept",
      counter: `r_p${port}`,
    }),
  ),
});
const program = mustRender({
  ...groups,
  scopes: [...host.scopes, ...groups.scopes],
  rules: [...host.rules, ...groups.rules],
});

beforeAll(() => makeNamespaces([namespace]));
afterAll(() => removeNamespaces([namespace]));

interface Watched {
  readonly patrol: Patrol;
  readonly log: DriftLog;
  /** The next drift that is told. */
  next(): Promise<Drift>;
  /** Lines that the monitor has said. */
  heard(): number;
  /** Programs that were started but for the monitor, since the last time this was asked. */
  started(): number;
  load(program: Program): Promise<void>;
  stop(): Promise<void>;
}

/** A patrol at work, as `portcullis-agent run` has it. */
function watch(
  mode: "repair" | "report" = "repair",
  intended: () => Program | undefined = () => program,
): Watched {
  const witness = new Witness();
  const log = new DriftLog();
  const told: Drift[] = [];
  let count = 0;
  let lines = 0;
  const follow = spawnFollow(prefix);
  const spawned = spawnExec({ prefix, started: (pid) => witness.noteStarted(pid) });
  const exec: Exec = (...call) => {
    count += 1;
    return spawned(...call);
  };
  const kernel = openKernel(openNft(exec, "nft", witness));
  const patrol = new Patrol({
    kernel,
    follow: (argv, line, stop) =>
      follow(
        argv,
        (text) => {
          lines += 1;
          line(text);
        },
        stop,
      ),
    nft: "nft",
    witness,
    log,
    intended,
    mode: () => mode,
    now: Date.now,
    tell: (drift) => void told.push(drift),
  });
  const stopped = new AbortController();
  // It never looks by itself: what it repairs, it has heard of.
  const running = runPatrol(patrol, stopped.signal, 86_400_000);
  return {
    patrol,
    log,
    async next() {
      return waitUntil("a drift to be told", () => told.shift());
    },
    heard: () => lines,
    started() {
      const since = count;
      count = 0;
      return since;
    },
    async load(wanted) {
      expect((await kernel.load(wanted)).ok).toBe(true);
    },
    async stop() {
      stopped.abort();
      await running;
    },
  };
}

let watched: Watched;
afterEach(() => watched.stop());

const begin = async (...how: Parameters<typeof watch>): Promise<void> => {
  await nft("flush", "ruleset");
  watched = watch(...how);
  await watched.load(program);
  // A monitor that listens tells of a stranger's table, which is nobody's drift.
  let i = 0;
  await waitUntil("a monitor that listens", async () => {
    await nft("add", "table", "ip", `stranger${(i += 1)}`);
    return watched.heard() > 0 ? true : undefined;
  });
};

const tampering: readonly (readonly [string, string, RegExp])[] = [
  ["everything flushed", "flush ruleset", /^expected our table, found none$/],
  ["our table deleted", "delete table inet portcullis", /^expected our table, found none$/],
  ["our rules flushed", "flush table inet portcullis", /^chain \w+: missing rule 0: /],
  [
    "a rule inserted",
    "insert rule inet portcullis input accept",
    /^chain input: surplus rule 0: accept$/,
  ],
  [
    "a rule that reads otherwise",
    "add rule inet portcullis c_1peer0_k_dev ip saddr 10.8.0.9 ip daddr @a4_g_dev counter name r_dev accept",
    /^chain c_1peer0_k_dev: surplus rule 2: @a4_g_dev counter r_dev accept$/,
  ],
  [
    "an element added",
    "add element inet portcullis a4_g_dev { 10.8.0.77 }",
    /^surplus element of a4_g_dev: 10.8.0.77$/,
  ],
  [
    "an element deleted",
    "delete element inet portcullis a4_g_dev { 10.8.0.3 }",
    /^missing element of a4_g_dev: 10.8.0.3$/,
  ],
  [
    "a policy opened",
    "add chain inet portcullis input { policy accept; }",
    /^chain input: expected policy drop, found accept$/,
  ],
  // nft 1.0.6 may list no flags at all, from memory that it has not written.
  ["a table put to sleep", "add table inet portcullis { flags dormant; }", /^found a table flag/],
];

describe("a patrol", () => {
  beforeEach(() => begin());

  it.each(tampering)(
    "repairs %s as soon as it hears of it, not at its next look, and names it",
    async (_, command, named) => {
      const sound = await ours();
      const told = watched.next();
      await feed(`${command}\n`);
      const { last, count } = await told;
      expect(await ours()).toBe(sound);
      expect(last.changes[0]).toMatch(named);
      expect(last).toMatchObject({ repaired: true, by: "nft" });
      expect(count).toBe(1);
    },
  );

  it("names the one rule that was deleted, by its text", async () => {
    const listed = await nft("-a", "list", "chain", "inet", "portcullis", "input");
    const handle = /ct state established,related accept # handle (\d+)/.exec(listed)?.[1] ?? "";
    const told = watched.next();
    await nft("delete", "rule", "inet", "portcullis", "input", "handle", handle);
    expect((await told).last.changes).toEqual([
      expect.stringMatching(/^chain input: missing rule \d+: ct state established,related accept$/),
    ]);
  });

  it("puts rules back in their order", async () => {
    const sound = await ours();
    const listed = await nft("-a", "list", "chain", "inet", "portcullis", "input");
    const handle = /iif "lo" accept # handle (\d+)/.exec(listed)?.[1] ?? "";
    const told = watched.next();
    await feed(
      `delete rule inet portcullis input handle ${handle}\nadd rule inet portcullis input index 1 iif "lo" accept\n`,
    );
    expect((await told).last.changes).toEqual([
      expect.stringMatching(/^chain input: another order from rule 0 on$/),
    ]);
    expect(await ours()).toBe(sound);
  });

  it("starts nothing while others change their tables, and nothing while idle", async () => {
    watched.started();
    const before = watched.heard();
    await feed(
      "add table inet theirs\nadd chain inet theirs input { type filter hook input priority 0; }\n",
    );
    await feed("add rule inet theirs input accept\n");
    await nft("delete", "table", "inet", "theirs");
    await waitUntil("the monitor's lines", async () =>
      watched.heard() >= before + 6 ? true : undefined,
    );
    expect(watched.started()).toBe(0);
    expect(watched.log.summarizeDrift(Date.now())).toBeNull();
  });

  it("takes its own applies for no drift", async () => {
    const other = mustRender(groupsRuleset({ dev: ["10.8.0.2"], ops: ["10.8.0.4"] }));
    const before = watched.heard();
    await watched.load(other);
    await watched.load(program);
    watched.started();
    await waitUntil("the monitor's lines", async () =>
      watched.heard() > before + 2 ? true : undefined,
    );
    await nft("add", "table", "ip", "theirs");
    expect(watched.started()).toBe(0);
    await watched.patrol.check();
    expect(watched.log.summarizeDrift(Date.now())).toBeNull();
  });

  it("keeps repairing when somebody keeps changing, and says that the table is contended", async () => {
    for (let i = 1; i <= 11; i += 1) {
      const told = watched.next();
      await nft("insert", "rule", "inet", "portcullis", "input", "accept");
      const drift = await told;
      expect(drift.last.repaired).toBe(true);
      expect(drift.contended).toBe(i > 10);
    }
  });
});

it("only says what changed where the guard chose report, once for one change", async () => {
  await begin("report");
  const told = watched.next();
  await nft("insert", "rule", "inet", "portcullis", "input", "accept");
  expect((await told).last).toMatchObject({
    repaired: false,
    changes: ["chain input: surplus rule 0: accept"],
  });
  await watched.patrol.check();
  expect(watched.log.summarizeDrift(Date.now())?.count).toBe(1);
  expect(await ours()).toContain("\t\taccept\n");
});

it("leaves the table alone while nothing is intended, and finds the change when something is", async () => {
  const now: { wanted?: Program } = {};
  await begin("repair", () => now.wanted);
  await nft("insert", "rule", "inet", "portcullis", "input", "accept");
  await watched.patrol.check();
  expect(await ours()).toContain("\t\taccept\n");
  now.wanted = program;
  await watched.patrol.check();
  expect(watched.log.summarizeDrift(Date.now())?.last.changes).toEqual([
    "chain input: surplus rule 0: accept",
  ]);
});
