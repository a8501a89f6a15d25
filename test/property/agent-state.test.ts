/** No order of events, however unlikely, makes the agent open a host, forget what it committed or hammer a bad seq. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Candidate,
  type Committed,
  type Effect,
  type Event,
  noReverts,
  type Policy,
  type Reverts,
  type State,
  step,
} from "#agent/machine/state.ts";

const guards = ["a".repeat(64), "b".repeat(64)] as const;
const candidate: fc.Arbitrary<Candidate> = fc.record({
  seq: fc.integer({ min: 1, max: 6 }),
  revision: fc.integer({ min: 0, max: 6 }),
  bundle_sha256: fc.constantFrom("1".repeat(64), "2".repeat(64)),
  mode: fc.constantFrom("enforce", "closed"),
});
const committed: fc.Arbitrary<Committed> = candidate.map((base) => ({
  ...base,
  program_sha256: "3".repeat(64),
  guard_sha256: guards[0],
  renderer: "nft-1",
}));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const reverted = fc.record({
  seq: fc.integer({ min: 1, max: 6 }),
  revision: fc.integer({ min: 0, max: 6 }),
  guard_sha256: fc.constantFrom(...guards),
});
const reverts: fc.Arbitrary<Reverts> = fc.record({
  at: fc
    .array(fc.integer({ min: 0, max: 500_000 }), { maxLength: 12 })
    .map((at) => at.toSorted((a, b) => a - b)),
  barred: maybe(reverted),
});
const policy: fc.Arbitrary<Policy> = fc.record({
  onFailure: fc.constantFrom("last-good", "closed"),
  onExpiry: fc.constantFrom("close", "hold"),
  graceMs: fc.integer({ min: 0, max: 200_000 }),
});
const lease = maybe(fc.integer({ min: 0, max: 20_000_000 }));
const flag = fc.boolean();
const failures = ["untouched", "reverted", "doubtful", "interrupted"] as const;

/** An event without its time: time is given by its place in the sequence. */
const anyEvent = fc.oneof(
  fc.record({
    kind: fc.constant("started"),
    applied: maybe(committed),
    leaseEndsAt: lease,
    table: fc.constantFrom("present", "missing"),
    hold: flag,
    fallen: flag,
    committedBefore: flag,
    enforces: flag,
    trust: fc.constantFrom("sound", "damaged"),
    policy: maybe(policy),
    reverts,
    interrupted: maybe(
      fc.record({
        tried: reverted,
        judged: flag,
      }),
    ),
  }),
  fc.record({ kind: fc.constant("woke"), hold: flag, enforces: flag, policy: maybe(policy) }),
  fc.record({
    kind: fc.constant("trusted"),
    candidate: maybe(candidate),
    leaseEndsAt: lease,
    guard: fc.constantFrom(...guards, null),
    renderer: fc.constant("nft-1"),
  }),
  fc.record({
    kind: fc.constant("refused"),
    because: fc.constantFrom("transport", "verification"),
  }),
  fc.record({ kind: fc.constant("counted"), counted: committed }),
  fc.record({ kind: fc.constant("committed"), applied: committed }),
  fc.record({ kind: fc.constant("failed"), kernel: fc.constantFrom(...failures) }),
  fc.record({
    kind: fc.constantFrom("rekeyed", "restored", "restore-failed", "closed", "close-failed"),
  }),
) as fc.Arbitrary<Omit<Event, "now">>;

const timed = fc.array(fc.tuple(anyEvent, fc.integer({ min: 0, max: 90_000 })), { maxLength: 60 });

interface Moment {
  readonly before: State;
  readonly event: Event;
  readonly after: State;
  readonly effects: readonly Effect[];
}

/** What the agent's rooms would say at this point, made of what the generator said. */
function plausible(state: State, event: Event): Event {
  const { now } = event;
  if (state.kind === "unenrolled" && event.kind !== "started")
    return {
      kind: "started",
      applied: null,
      leaseEndsAt: null,
      table: "present",
      hold: false,
      fallen: false,
      committedBefore: false,
      enforces: now % 2 === 0,
      trust: "sound",
      policy: null,
      reverts: noReverts,
      interrupted: null,
      now,
    };
  if (state.kind !== "applying" || event.kind === "failed") return event;
  if (now % 2 === 0) return { kind: "failed", kernel: failures[(now / 2) % 4] ?? "untouched", now };
  const done = { program_sha256: "3".repeat(64), guard_sha256: state.guard, renderer: "nft-1" };
  return { kind: "committed", applied: { ...state.candidate, ...done }, now };
}

/** One life of an agent: on a real host, or one where events come from nowhere. */
function* play(
  real: boolean,
  happenings: readonly (readonly [Omit<Event, "now">, number])[],
): Generator<Moment> {
  let state: State = { kind: "unenrolled" };
  let now = 0;
  for (const [happening, later] of happenings) {
    now += later;
    const given = { ...happening, now } as Event;
    const event = real ? plausible(state, given) : given;
    const [after, effects] = step(state, event);
    yield { before: state, event, after, effects };
    state = after;
  }
}

const applied = (state: State): Committed | null =>
  state.kind === "unenrolled" ? null : (state.kind === "applying" ? state.from : state).applied;

const expectAlways = (holds: (moment: Moment) => void): void =>
  fc.assert(
    fc.property(fc.boolean(), timed, (real, happenings) =>
      [...play(real, happenings)].forEach(holds),
    ),
    { numRuns: 2_000 },
  );

test("touches the kernel only to apply, to restore what was committed, or to close", () => {
  const kinds = new Set([
    "poll",
    "report",
    "count",
    "apply",
    "record",
    "restore",
    "close",
    "remember",
  ]);
  expectAlways(({ effects, after }) => {
    for (const effect of effects) {
      expect(kinds).toContain(effect.kind);
      if (effect.kind === "restore") expect(applied(after)).not.toBeNull();
    }
  });
});

test("counts only on a host that never committed, closed itself or was asked to enforce, and never again after", () => {
  fc.assert(
    fc.property(fc.boolean(), timed, (real, happenings) => {
      let told = false;
      for (const { before, event, after, effects } of play(real, happenings)) {
        if (event.kind === "started" && before.kind === "unenrolled")
          told =
            event.enforces ||
            event.committedBefore ||
            event.fallen ||
            event.applied !== null ||
            event.interrupted !== null;
        if (event.kind === "woke" && before.kind !== "unenrolled" && before.kind !== "applying")
          told ||= event.enforces;
        const counts = effects.some(({ kind }) => kind === "count");
        const enforces = effects.some(({ kind }) => kind === "apply" || kind === "record");
        if (counts) expect([told, after.kind, applied(after)]).toEqual([false, "adopting", null]);
        if (enforces) expect(told).toBe(true);
        if (after.kind === "steady") expect(told).toBe(true);
      }
    }),
    { numRuns: 4_000 },
  );
});

test("a host that closed itself does not count either when a person lifts a closing of their own", () => {
  const common = { policy: null, leaseEndsAt: 9_000, now: 1 } as const;
  const next = { seq: 1, revision: 1, bundle_sha256: "1".repeat(64), mode: "enforce" } as const;
  const events: readonly Event[] = [
    {
      ...common,
      kind: "started",
      applied: null,
      table: "present",
      hold: true,
      committedBefore: false,
      enforces: false,
      fallen: true,
      trust: "sound",
      reverts: noReverts,
      interrupted: null,
    },
    { ...common, kind: "woke", hold: false, enforces: false },
    { ...common, kind: "trusted", candidate: next, guard: guards[0], renderer: "nft-1" },
  ];
  let state: State = { kind: "unenrolled" };
  for (const event of events) [state] = step(state, event);
  expect(state.kind).toBe("applying");
});

test("what is counted is not counted again until seq, guard or renderer is another", () => {
  expectAlways(({ before, event, effects }) => {
    if (before.kind !== "adopting" || before.enforces || event.kind !== "trusted") return;
    const { candidate: next, guard } = event;
    if (next === null || guard === null) return;
    const same = before.counted?.seq === next.seq && before.counted.guard_sha256 === guard;
    const counts = effects.some(({ kind }) => kind === "count");
    expect(counts).toBe(!(same && before.counted?.renderer === event.renderer));
  });
});

test("only a commit changes what is committed", () => {
  expectAlways(({ before, event, after }) => {
    if (before.kind === "unenrolled") return;
    if (event.kind === "committed" && before.kind === "applying")
      expect(applied(after)).toEqual(event.applied);
    else expect(applied(after)).toEqual(applied(before));
  });
});

test("a failure that may have touched the kernel is followed by what puts it right", () => {
  expectAlways(({ before, event, effects, after }) => {
    if (before.kind !== "applying" || event.kind !== "failed" || event.kernel !== "doubtful")
      return;
    const [first] = effects;
    const closes = after.kind === "closed" && after.by !== "bundle";
    expect(first).toEqual({ kind: applied(after) === null || closes ? "close" : "restore" });
  });
});

test("a host that closed itself holds the closed ruleset until something is committed or a person lifts it", () => {
  expectAlways(({ before, event, after, effects }) => {
    if (before.kind !== "closed" || (before.by !== "failure" && before.by !== "expiry")) return;
    if (event.kind === "woke" && event.hold) return;
    expect(effects.some(({ kind }) => kind === "restore" || kind === "record")).toBe(false);
    expect(["closed", "applying"]).toContain(after.kind);
  });
});

test("a guard that says closed closes on a refused bundle and on one that does not load", () => {
  expectAlways(({ before, event, after, effects }) => {
    if (before.kind === "unenrolled") return;
    const held = before.kind === "applying" ? before.from : before;
    if (held.policy?.onFailure !== "closed" || held.applied === null || held.kind === "degraded")
      return;
    const forged =
      before.kind !== "applying" && event.kind === "refused" && event.because === "verification";
    const failed =
      before.kind === "applying" && event.kind === "failed" && event.kernel !== "interrupted";
    if (!forged && !failed) return;
    expect(after.kind).toBe("closed");
    if (held.kind !== "closed") expect(effects).toContainEqual({ kind: "close" });
  });
});

test("lease and grace over closes a host whose guard says close, and a fresh lease brings it back", () => {
  expectAlways(({ before, event, after, effects }) => {
    if (before.kind !== "stale" || event.kind !== "woke" || event.hold) return;
    const {
      policy: told,
      leaseEndsAt,
      staleFrom,
    } = { ...before, policy: event.policy ?? before.policy };
    const from = leaseEndsAt ?? staleFrom;
    if (told === null || from === null) return;
    const over = told.onExpiry === "close" && event.now >= from + told.graceMs;
    expect(after.kind === "closed" && after.by === "expiry").toBe(over);
    if (over) expect(effects).toContainEqual({ kind: "close" });
  });
  expectAlways(({ before, event, after }) => {
    if (before.kind !== "closed" || before.by !== "expiry" || event.kind !== "trusted") return;
    const fresh = event.leaseEndsAt !== null && event.now < event.leaseEndsAt;
    if (!fresh) expect(after.kind).toBe("closed");
    const { candidate: next, guard } = event;
    const { attempt, reverts: bad } = before;
    const tried = [attempt, bad.barred].some((one) => one?.seq === next?.seq);
    if (before.enforces && fresh && next !== null && guard !== null && !tried && bad.at.length < 3)
      expect(after.kind).toBe("applying");
  });
});

test("a seq that was reverted is never tried again under the same guard", () => {
  expectAlways(({ before, event, effects }) => {
    if (before.kind === "unenrolled" || before.kind === "applying" || event.kind !== "trusted")
      return;
    const { barred: last } = before.reverts;
    const same =
      last !== null && event.candidate?.seq === last.seq && event.guard === last.guard_sha256;
    if (same) expect(effects.some(({ kind }) => kind === "apply" || kind === "record")).toBe(false);
  });
});

test("after three reverts in an hour only a newer revision or another guard is loaded, after ten nothing is", () => {
  expectAlways(({ before, event, effects }) => {
    if (before.kind === "unenrolled" || before.kind === "applying" || event.kind !== "trusted")
      return;
    const { barred: last, at } = before.reverts;
    const recent = at.filter((time) => time > event.now - 3_600_000 && time <= event.now).length;
    if (last === null || event.candidate === null || event.guard !== last.guard_sha256) return;
    const held = recent >= 10 || (recent >= 3 && event.candidate.revision <= last.revision);
    if (held) expect(effects.some(({ kind }) => kind === "apply")).toBe(false);
  });
});

test("a root with other keys ends hold, and what its predecessor's keys had reverted may be tried again", () => {
  expectAlways(({ before, event, after, effects }) => {
    if (before.kind === "unenrolled" || before.kind === "applying" || event.kind !== "rekeyed")
      return;
    if (after.kind === "unenrolled" || after.kind === "applying")
      throw new Error("it tells of keys alone");
    expect(after.reverts).toEqual(noReverts);
    expect(after.kind).not.toBe("hold");
    expect(effects).toContainEqual({ kind: "remember", reverts: noReverts });
  });
});

test("a revert is remembered, and a restart after a crash within an apply puts the kernel right first", () => {
  expectAlways(({ before, event, after, effects }) => {
    const judged =
      event.kind === "failed" && (event.kernel === "reverted" || event.kernel === "doubtful");
    if (
      before.kind === "applying" &&
      judged &&
      after.kind !== "applying" &&
      after.kind !== "unenrolled"
    ) {
      expect(after.reverts.barred).toMatchObject({
        seq: before.candidate.seq,
        guard_sha256: before.guard,
      });
      expect(after.reverts.barred?.revision).toBeGreaterThanOrEqual(before.candidate.revision);
      expect(effects).toContainEqual({ kind: "remember", reverts: after.reverts });
    }
    if (event.kind === "started" && before.kind === "unenrolled" && event.interrupted !== null)
      expect(effects.map(({ kind }) => kind).filter((kind) => kind !== "remember")[0]).toMatch(
        /^(restore|close)$/,
      );
  });
});

test("a doubtful kernel is put right on every cycle until it holds", () => {
  expectAlways(({ before, event, effects }) => {
    if (before.kind === "unenrolled" || before.kind === "applying" || event.kind !== "woke") return;
    const lifted = before.kind === "closed" && before.by === "operator" && !event.hold;
    if (before.kernel === "doubtful" && !event.hold && !lifted)
      expect(effects.some(({ kind }) => kind === "restore" || kind === "close")).toBe(true);
  });
});

test("a seq that failed is not tried again before its back-off is over; another one is", () => {
  expectAlways(({ before, event, effects }) => {
    if (before.kind === "unenrolled" || before.kind === "applying" || event.kind !== "trusted")
      return;
    const { attempt } = before;
    const tries = effects.some(({ kind }) => kind === "apply" || kind === "record");
    if (
      attempt !== null &&
      event.candidate?.seq === attempt.seq &&
      event.guard === attempt.guard_sha256
    )
      expect(tries && event.now < attempt.notBefore).toBe(false);
    const leased = event.leaseEndsAt !== null && event.now < event.leaseEndsAt;
    const heldClosed =
      before.kind === "closed" && (before.by === "operator" || (before.by === "expiry" && !leased));
    const held =
      heldClosed ||
      before.kind === "degraded" ||
      before.kind === "hold" ||
      before.reverts.at.length >= 3;
    const { barred } = before.reverts;
    const fresh =
      event.candidate !== null &&
      event.candidate.seq !== attempt?.seq &&
      event.candidate.seq !== barred?.seq;
    if (
      before.enforces &&
      fresh &&
      event.guard !== null &&
      !held &&
      event.candidate?.seq !== before.applied?.seq
    )
      expect(tries).toBe(true);
  });
});

test("a person's closing holds until it is lifted, whatever is signed", () => {
  expectAlways(({ before, event, after, effects }) => {
    if (before.kind !== "closed" || before.by !== "operator") return;
    if (event.kind === "woke" && !event.hold) return;
    expect(after.kind).toBe("closed");
    expect(
      effects.some(({ kind }) => kind === "apply" || kind === "restore" || kind === "record"),
    ).toBe(false);
  });
});

test("steady means a lease that is not over", () => {
  expectAlways(({ event, after }) => {
    if (event.kind === "woke" && after.kind === "steady")
      expect(after.leaseEndsAt).toBeGreaterThan(event.now);
  });
});
