/** No order of events, however unlikely, makes the agent open a host, forget what it committed or hammer a bad seq. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Candidate, type Committed, type Effect, type Event, type State, step } from "#agent/state.ts";

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
const lease = maybe(fc.integer({ min: 0, max: 20_000_000 }));
const flag = fc.boolean();

/** An event without its time: time is given by its place in the sequence. */
const anyEvent = fc.oneof(
  fc.record({
    kind: fc.constant("started"),
    applied: maybe(committed),
    leaseEndsAt: lease,
    table: fc.constantFrom("present", "missing"),
    hold: flag,
    closedFirst: flag,
  }),
  fc.record({ kind: fc.constant("woke"), hold: fc.boolean() }),
  fc.record({
    kind: fc.constant("trusted"),
    candidate: maybe(candidate),
    leaseEndsAt: lease,
    guard: fc.constantFrom(...guards, null),
    renderer: fc.constant("nft-1"),
  }),
  fc.record({ kind: fc.constant("refused") }),
  fc.record({ kind: fc.constant("committed"), applied: committed }),
  fc.record({ kind: fc.constant("failed"), touched: flag }),
  fc.record({ kind: fc.constantFrom("restored", "restore-failed", "closed", "close-failed") }),
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
      closedFirst: false,
      now,
    };
  if (state.kind !== "applying" || event.kind === "failed") return event;
  if (now % 2 === 0) return { kind: "failed", touched: now % 4 === 0, now };
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
    fc.property(fc.boolean(), timed, (real, happenings) => [...play(real, happenings)].forEach(holds)),
    { numRuns: 2_000 },
  );

test("touches the kernel only to apply, to restore what was committed, or to close", () => {
  const kinds = new Set(["poll", "report", "apply", "record", "restore", "close"]);
  expectAlways(({ effects, after }) => {
    for (const effect of effects) {
      expect(kinds).toContain(effect.kind);
      if (effect.kind === "restore") expect(applied(after)).not.toBeNull();
    }
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
    if (before.kind !== "applying" || event.kind !== "failed" || !event.touched) return;
    expect(effects[0]).toEqual({ kind: applied(after) === null ? "close" : "restore" });
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
    if (before.kind === "unenrolled" || before.kind === "applying" || event.kind !== "trusted") return;
    const { attempt } = before;
    const tries = effects.some(({ kind }) => kind === "apply" || kind === "record");
    if (attempt !== null && event.candidate?.seq === attempt.seq && event.guard === attempt.guard_sha256)
      expect(tries && event.now < attempt.notBefore).toBe(false);
    const heldClosed = before.kind === "closed" && before.by === "operator";
    const fresh = event.candidate !== null && event.candidate.seq !== attempt?.seq;
    if (fresh && event.guard !== null && !heldClosed && event.candidate?.seq !== before.applied?.seq)
      expect(tries).toBe(true);
  });
});

test("a person's closing holds until it is lifted, whatever is signed", () => {
  expectAlways(({ before, event, after, effects }) => {
    if (before.kind !== "closed" || before.by !== "operator") return;
    if (event.kind === "woke" && !event.hold) return;
    expect(after.kind).toBe("closed");
    expect(effects.some(({ kind }) => kind === "apply" || kind === "restore" || kind === "record")).toBe(
      false,
    );
  });
});

test("steady means a lease that is not over", () => {
  expectAlways(({ event, after }) => {
    if (event.kind === "woke" && after.kind === "steady")
      expect(after.leaseEndsAt).toBeGreaterThan(event.now);
  });
});
