/** No reports, however wrong, late or repeated, and no person's words make a rollout outrun what hosts have committed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Effect,
  type Evidence,
  type Input,
  isNews,
  findQuietEnd,
  step,
} from "#core/rollout/index.ts";
import type { Phase } from "#schema/rollout.ts";
import { AgentState } from "#schema/wire.ts";
import { Driven, gatesOf, hostNames, Kernels } from "#test/support/rollout.ts";

const hosts = hostNames(8);
const plans: readonly Readonly<Record<Phase, readonly (readonly string[])[]>>[] = [
  { narrow: [], widen: [["h0"], ["h1", "h2"], ["h3", "h4", "h5"], ["h6", "h7"]] },
  { narrow: [["h0"], ["h1", "h2"]], widen: [["h3"], ["h4", "h0", "h5"], ["h6", "h7"]] },
];
const minuteMs = 60_000;

/** What may happen; made concrete on the rollout as it stands. */
type Happening =
  | { readonly kind: "tick" | "quiet" }
  | { readonly kind: "wild"; readonly report: Omit<Evidence, "receivedAt">; readonly ageMs: number }
  | { readonly kind: "commits" | "reverts"; readonly hosts: readonly string[] }
  | { readonly kind: "pause" | "resume" | "halt" | "rollback" | "skip" | "force" }
  | { readonly kind: "approve"; readonly by: string }
  | { readonly kind: "supersede"; readonly hosts: readonly string[] };

const wild: fc.Arbitrary<Omit<Evidence, "receivedAt">> = fc.record({
  host: fc.constantFrom(...hosts, "stranger"),
  state: fc.constantFrom(...AgentState.options),
  appliedMode: fc.constantFrom("enforce", "closed"),
  appliedSeq: fc.option(fc.integer({ min: 1, max: 4 }), { nil: null }),
  seenSeq: fc.integer({ min: 0, max: 4 }),
  revertedSeq: fc.option(fc.integer({ min: 1, max: 4 })),
  refusal: fc.constantFrom(null, "unreachable", "guard_refused"),
  drift: fc.constantFrom(0, 0, 1),
  denyRate: fc.constantFrom(null, 0, 50),
  suspectedClone: fc.constantFrom(false, false, true),
  heartbeats: fc.boolean(),
});
const some = fc.subarray([...hosts]);
const byItself: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("tick", "tick", "quiet").map((kind) => ({ kind })) },
  { weight: 4, arbitrary: some.map((list) => ({ kind: "commits" as const, hosts: list })) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reverts" as const), hosts: some }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("wild" as const),
      report: wild,
      ageMs: fc.integer({ min: 0, max: 90 * minuteMs }),
    }),
  },
);
const byPeople: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("resume", "skip", "force").map((kind) => ({ kind })) },
  { weight: 1, arbitrary: fc.constantFrom("pause", "halt", "rollback").map((kind) => ({ kind })) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("approve" as const),
      by: fc.constantFrom("alice", "bob"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .subarray([...hosts], { maxLength: 2 })
      .map((list) => ({ kind: "supersede" as const, hosts: list })),
  },
) as fc.Arbitrary<Happening>;

const storyOf = (happening: fc.Arbitrary<Happening>) =>
  fc.array(fc.tuple(happening, fc.constantFrom(0, 1, 5, 11, 16)), { maxLength: 60 });

const worlds = fc.record({
  plan: fc.constantFrom(...plans),
  emergency: fc.constantFrom(false, false, false, true),
  gates: fc
    .record({
      auto_rollback: fc.boolean(),
      max_unknown_percent: fc.constantFrom(5, 60),
      min_committed_percent: fc.constantFrom(40, 95),
    })
    .map(gatesOf),
  silent: some,
});
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

function open({ silent, ...over }: World): Driven {
  const driven = new Driven(over);
  for (const host of silent) driven.heard.set(host, driven.now - 300 * minuteMs);
  return driven;
}

function inputOf(driven: Driven, happening: Happening): Input {
  switch (happening.kind) {
    case "tick":
      return { kind: "evidence", evidence: driven.heartbeats() };
    case "quiet":
      return { kind: "tick" };
    case "wild":
      return {
        kind: "evidence",
        evidence: [{ ...happening.report, receivedAt: driven.now - happening.ageMs }],
      };
    case "commits":
      return { kind: "evidence", evidence: happening.hosts.map((host) => driven.commit(host)) };
    case "reverts":
      return { kind: "evidence", evidence: happening.hosts.map((host) => driven.revert(host)) };
    case "approve":
      return happening;
    case "supersede":
      return { ...happening, by: 9 };
    case "pause":
    case "resume":
    case "halt":
    case "rollback":
    case "skip":
    case "force":
      return { kind: happening.kind, by: "alice", reason: "because" };
  }
}

interface Moment {
  readonly before: Driven["state"];
  readonly input: Input;
  readonly after: Driven["state"];
  readonly effects: readonly Effect[];
}

function* play(
  driven: Driven,
  story: readonly (readonly [Happening, number])[],
): Generator<Moment> {
  for (const [happening, minutes] of story) {
    driven.now += minutes * minuteMs;
    const input = inputOf(driven, happening);
    const before = driven.state;
    const effects = driven.do(input);
    yield { before, input, after: driven.state, effects };
  }
}

const assignedIn = (effects: readonly Effect[], phase: Phase): readonly string[] =>
  effects.flatMap((effect) =>
    effect.kind === "assign" && effect.phase === phase ? effect.hosts : [],
  );

const anyStory = storyOf(
  fc.oneof({ weight: 4, arbitrary: byItself }, { weight: 1, arbitrary: byPeople }),
);
const runs = { numRuns: 400 };

describe("a rollout", () => {
  test("gives nothing to a host of a wave that was not reached, and reaches one wave only on commits", () => {
    const property = fc.property(worlds, storyOf(byItself), (world, story) => {
      const driven = open(world);
      for (const { before, after, effects } of play(driven, story)) {
        const reached = after.entries.filter(
          (entry) => entry.phase === after.phase && entry.wave <= after.wave,
        );
        for (const host of assignedIn(effects, after.phase))
          expect(reached.map((entry) => entry.host)).toContain(host);
        // Taking back from the second phase ends in the first one: that is no wave reached.
        const isBack = after.status === "halted" || after.status === "rolled_back";
        if (isBack || (after.phase === before.phase && after.wave === before.wave)) continue;
        const left = after.entries.filter(
          (entry) => entry.phase === before.phase && entry.wave === before.wave,
        );
        const committed = left.filter(({ standing }) => standing === "committed").length;
        const least = before.wave === 1 ? 100 : before.gates.min_committed_percent;
        expect((committed * 100) / left.length).toBeGreaterThanOrEqual(least);
      }
    });
    fc.assert(property, runs);
  });

  test("without a commit nothing beyond the first wave is given, whatever else is said", () => {
    const noCommit = byItself.filter(
      (happening) =>
        happening.kind === "tick" || happening.kind === "quiet" || happening.kind === "reverts",
    );
    const property = fc.property(worlds, storyOf(noCommit), (world, story) => {
      const driven = open(world);
      for (const _ of play(driven, story)) expect(driven.state.wave).toBe(1);
      const first = world.plan.narrow[0] ?? world.plan.widen[0] ?? [];
      for (const host of [...driven.given("narrow"), ...driven.given("widen")])
        expect(first).toContain(host);
    });
    fc.assert(property, runs);
  });

  test("gives nothing to anybody while it is halted, paused by a person, waiting for approval or over", () => {
    const property = fc.property(worlds, anyStory, (world, story) => {
      for (const { before, input, effects } of play(open(world), story)) {
        const grown = [...assignedIn(effects, "narrow"), ...assignedIn(effects, "widen")];
        const waiting = before.status === "paused" && before.pausedBy === "evidence";
        const stopped = before.status !== "running" && !waiting;
        if (stopped && (input.kind === "tick" || input.kind === "evidence"))
          expect(grown).toEqual([]);
      }
    });
    fc.assert(property, runs);
  });

  test("halts on the very report that breaks a gate", () => {
    const property = fc.property(worlds, storyOf(byItself), (world, story) => {
      const driven = open({ ...world, emergency: false });
      for (const { before, input, after, effects } of play(driven, story)) {
        const canaries = after.entries.filter(
          (entry) =>
            entry.phase === before.phase && entry.wave === 1 && entry.standing === "reverted",
        );
        if (input.kind !== "evidence" || canaries.length === 0) continue;
        expect(["halted", "rolled_back"]).toContain(after.status);
        expect(assignedIn(effects, "narrow")).toEqual([]);
        expect(assignedIn(effects, "widen")).toEqual([]);
      }
    });
    fc.assert(property, runs);
  });

  test("widens no host before every host that must lose something committed that, or was forced", () => {
    const property = fc.property(worlds, anyStory, (world, story) => {
      for (const { after, effects } of play(open(world), story)) {
        if (assignedIn(effects, "widen").length === 0) continue;
        const missing = after.entries.filter(
          ({ phase, standing }) =>
            phase === "narrow" && standing !== "committed" && standing !== "skipped",
        );
        expect(missing).toEqual([]);
      }
    });
    fc.assert(property, runs);
  });

  test("on its way there and back no host runs what was given while one still, or again, runs what was taken", () => {
    const plan = {
      narrow: [["h0"], ["h1", "h2"]],
      widen: [["h3"], ["h4", "h0", "h5"], ["h6", "h7"]],
    };
    const honest = byItself.filter(({ kind }) => kind !== "wild" && kind !== "quiet");
    const people = fc.constantFrom("rollback", "resume").map((kind): Happening => ({ kind }));
    const story = storyOf(
      fc.oneof({ weight: 6, arbitrary: honest }, { weight: 1, arbitrary: people }),
    );
    const property = fc.property(
      worlds,
      fc.integer({ min: 0, max: 12 }),
      story,
      (world, forth, then) => {
        const gates = { ...world.gates, timeout_seconds: 7 * 86_400 };
        const driven = open({ ...world, gates, plan, emergency: false });
        const kernels = new Kernels();
        const all: Happening = { kind: "commits", hosts: [...hosts] };
        const there = Array.from({ length: forth }, (_, i): Happening =>
          i % 2 === 0 ? all : { kind: "tick" },
        );
        for (const [happening, minutes] of [...there.map((one) => [one, 11] as const), ...then]) {
          driven.now += minutes * minuteMs;
          if (happening.kind === "commits") kernels.commit(happening.hosts);
          if (happening.kind === "tick") kernels.commit(driven.standing("committed"));
          const honestly: Happening =
            happening.kind === "reverts"
              ? { ...happening, hosts: happening.hosts.filter((host) => !kernels.holds(host)) }
              : happening;
          kernels.give(driven.do(inputOf(driven, honestly)));
          const given = hosts.some((host) => kernels.runs(host) === "widened");
          const taken = plan.narrow.flat().filter((host) => kernels.runs(host) === "old");
          expect(given ? taken : []).toEqual([]);
        }
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });

  test("does the same for the same inputs, and nothing for a repeated one", () => {
    const property = fc.property(worlds, anyStory, (world, story) => {
      const [one, other] = [open(world), open(world)];
      for (const { after, effects, input } of play(one, story)) {
        other.now = one.now;
        expect(other.do(input)).toEqual(effects);
        expect(other.state).toEqual(after);
        // A new assignment is for the same report to answer again.
        const assigned = effects.some((effect) => effect.kind === "assign");
        if (assigned || (input.kind !== "evidence" && input.kind !== "tick")) continue;
        const settled = other.state;
        expect(other.do(input)).toEqual([]);
        expect(other.state).toBe(settled);
      }
    });
    fc.assert(property, runs);
  });

  test("ends the same for the same reports in any order, once or twice, in one piece or many", () => {
    const fates = fc.constantFrom("commits", "reverts", "silent", "refuses");
    const property = fc.property(
      fc.array(fates, { minLength: 6, maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      fc.boolean(),
      (fated, numbers, whole) => {
        const wave = hostNames(6);
        const assigned = () => {
          const driven = new Driven({
            plan: { narrow: [], widen: [wave] },
            gates: gatesOf({ auto_rollback: false }),
          });
          driven.tick();
          driven.now += minuteMs;
          return driven;
        };
        const [one, other] = [assigned(), assigned()];
        const reports = wave.flatMap((host, i): readonly Evidence[] => {
          const later = (base: Evidence): readonly Evidence[] => [
            base,
            { ...base, receivedAt: base.receivedAt + 1000 },
          ];
          switch (fated[i]) {
            case "commits":
              return later(one.commit(host));
            case "reverts":
              return later(one.revert(host));
            case "refuses":
              return later(one.commit(host, { appliedSeq: 1, refusal: "guard_refused" }));
            default:
              return [];
          }
        });
        one.hear(...reports);
        const mixed = [...reports, ...reports]
          .map((report) => ({ report, at: numbers.next().value ?? 0 }))
          .toSorted((a, b) => a.at - b.at)
          .map(({ report }) => report);
        if (whole) other.hear(...mixed);
        else for (const report of mixed) other.hear(report);
        // Dated by whichever report came first; where each stands is what counts.
        const standings = ({ state }: Driven) =>
          state.entries.map(({ host, standing, detail }) => ({ host, standing, detail }));
        expect(standings(other)).toEqual(standings(one));
        expect(other.state.status).toBe(one.state.status);
      },
    );
    fc.assert(property, runs);
  });

  test("may be left alone as long as it says so, and until a report is news", () => {
    const property = fc.property(worlds, anyStory, byItself, (world, story, then) => {
      const driven = open(world);
      const newest = new Map<string, Evidence>();
      for (const { input, after } of play(driven, story)) {
        const heard = input.kind === "evidence" ? input.evidence : [];
        for (const one of heard)
          if (one.receivedAt >= (newest.get(one.host)?.receivedAt ?? 0)) newest.set(one.host, one);
        const until = findQuietEnd(after, [...newest.values()], driven.now);
        if (until === driven.now) continue;
        for (let now = driven.now; now <= until; now += minuteMs) {
          const later = inputOf(Object.assign(open(world), { state: after, now }), then);
          const fresh = later.kind === "evidence" ? later.evidence.filter(isNewer(newest)) : [];
          const theirs = after.entries.filter(({ host }) => fresh.some((one) => one.host === host));
          if (isNews({ ...after, entries: theirs }, fresh, now)) continue;
          const all = new Map([...newest, ...fresh.map((one) => [one.host, one] as const)]);
          expect(step(after, { kind: "evidence", evidence: [...all.values()] }, now)).toEqual({
            state: after,
            effects: [],
          });
        }
      }
    });
    fc.assert(property, runs);
  });

  test("has gone as far at any time, or further, when hosts commit sooner", () => {
    // Minutes from a host's assignment to its commit; past 15 it is late, and some never commit.
    const never = 10_000;
    const delays = fc.array(
      fc.tuple(fc.constantFrom(0, 1, 5, 14), fc.constantFrom(0, 0, 0, 3, 20, never)),
      {
        minLength: hosts.length,
        maxLength: hosts.length,
      },
    );
    const property = fc.property(worlds, delays, (world, fates) => {
      const calm = { ...world, gates: { ...world.gates, auto_rollback: false } };
      const [sooner, later] = [open(calm), open(calm)];
      for (let minute = 0; minute < 150; minute += 1) {
        advance(sooner, (i) => fates[i]?.[0] ?? 0);
        advance(later, (i) => (fates[i]?.[0] ?? 0) + (fates[i]?.[1] ?? 0));
        for (const phase of ["narrow", "widen"] as const)
          expect([...later.given(phase)].filter((host) => !sooner.given(phase).has(host))).toEqual(
            [],
          );
      }
    });
    fc.assert(property, { numRuns: 150 });
  });
});

const isNewer =
  (known: ReadonlyMap<string, Evidence>) =>
  ({ host, receivedAt }: Evidence): boolean =>
    receivedAt >= (known.get(host)?.receivedAt ?? 0);

/** One minute of a rollout in which each host commits that many minutes after it was assigned. */
function advance(driven: Driven, minutesOf: (host: number) => number): void {
  driven.tick(60);
  const due = driven.state.entries.filter(
    ({ host, phase, seq, assignedAt }) =>
      phase === driven.state.phase &&
      seq !== null &&
      (assignedAt ?? 0) + minutesOf(hosts.indexOf(host)) * minuteMs <= driven.now,
  );
  driven.hear(...due.map(({ host }) => driven.commit(host)));
}
