/**
 * The agent's states and every edge between them, found by walking agent/machine/state.ts with every kind of event, and listed
 * in DESIGN.md between two marks. `node test/checks/edges.ts` writes the list; the check compares it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Candidate,
  type Committed,
  type Event,
  noReverts,
  type Policy,
  type State,
  step,
} from "#agent/machine/state.ts";
import { compareText } from "#schema/order.ts";

const hourMs = 3_600_000;
const [first, last] = ["<!-- edges -->", "<!-- /edges -->"] as const;
/** The guard and the renderer never change on this walk: they decide what is applied, not where it leads. */
const guard = "g";
const renderer = "r";

const candidates: readonly Candidate[] = [
  { seq: 1, revision: 1, bundle_sha256: "1", mode: "enforce" },
  { seq: 2, revision: 2, bundle_sha256: "2", mode: "enforce" },
  { seq: 3, revision: 3, bundle_sha256: "3", mode: "closed" },
];
const committedOf = (candidate: Candidate): Committed => ({
  ...candidate,
  program_sha256: candidate.bundle_sha256,
  guard_sha256: guard,
  renderer,
});
const policies: readonly Policy[] = [
  { onFailure: "last-good", onExpiry: "close", graceMs: 72 * hourMs },
  { onFailure: "closed", onExpiry: "hold", graceMs: 72 * hourMs },
];

/** What may happen at `now`; a lease is of one hour. */
function* happenings(
  state: State,
  policy: Policy,
  now: number,
): Generator<readonly [what: string, Event]> {
  if (state.kind === "unenrolled") yield* starts(policy, now);
  yield ["a person closes", { kind: "woke", hold: true, enforces: false, policy, now }];
  if (state.kind === "adopting")
    yield ["a person adopts", { kind: "woke", hold: false, enforces: true, policy, now }];
  yield ["time passes", { kind: "woke", hold: false, enforces: false, policy, now }];
  for (const leaseEndsAt of [now + hourMs, now - 1])
    for (const candidate of candidates)
      yield [
        leaseEndsAt > now ? "a bundle is trusted" : "nothing new",
        { kind: "trusted", candidate, leaseEndsAt, guard, renderer, now },
      ];
  yield ["a root names other keys", { kind: "rekeyed", now }];
  yield ["no answer", { kind: "refused", because: "transport", now }];
  yield ["a bundle is refused", { kind: "refused", because: "verification", now }];
  const [candidate] = candidates;
  if (candidate !== undefined)
    yield [
      "counted",
      { kind: "counted", counted: { ...candidate, guard_sha256: guard, renderer }, now },
    ];
  if (state.kind === "applying")
    yield ["committed", { kind: "committed", applied: committedOf(state.candidate), now }];
  yield ["did not load", { kind: "failed", kernel: "untouched", now }];
  yield ["did not prove itself, reverted", { kind: "failed", kernel: "reverted", now }];
  yield ["did not prove itself, revert failed", { kind: "failed", kernel: "doubtful", now }];
  yield ["stopped within an apply", { kind: "failed", kernel: "interrupted", now }];
  yield ["restored", { kind: "restored", now }];
  yield ["cannot restore", { kind: "restore-failed", now }];
  yield ["closed", { kind: "closed", now }];
  yield ["cannot close", { kind: "close-failed", now }];
}

function* starts(policy: Policy, now: number): Generator<readonly [string, Event]> {
  const applied = [null, ...candidates.filter(({ seq }) => seq !== 2).map(committedOf)];
  for (const held of applied)
    for (const hold of [false, true])
      for (const fallen of [false, true])
        for (const trust of ["sound", "damaged"] as const)
          for (const interrupted of [
            null,
            { tried: { seq: 2, revision: 2, guard_sha256: guard }, judged: true },
          ])
            for (const enforces of [false, true])
              yield [
                "start",
                {
                  kind: "started",
                  applied: held,
                  leaseEndsAt: now + hourMs,
                  table: held === null ? "missing" : "present",
                  hold,
                  fallen,
                  committedBefore: held !== null,
                  enforces,
                  trust,
                  policy,
                  reverts: noReverts,
                  interrupted,
                  now,
                },
              ];
}

const nameOf = (state: State): string =>
  state.kind === "closed" ? `closed (${state.by})` : state.kind;

/** States that behave alike, so that the walk ends. */
function classOf(state: State, now: number): string {
  if (state.kind === "unenrolled") return state.kind;
  const held = state.kind === "applying" ? state.from : state;
  const { applied, leaseEndsAt, staleFrom, attempt, reverts, kernel, policy } = held;
  const over = now >= (leaseEndsAt ?? staleFrom ?? now) + (policy?.graceMs ?? 0);
  // From the third on, one more revert is as one less.
  const lately = Math.min(3, reverts.at.filter((at) => at > now - hourMs).length);
  const lease = leaseEndsAt !== null && now < leaseEndsAt ? "leased" : over ? "over" : "grace";
  const target = state.kind === "applying" ? state.candidate.seq : 0;
  return JSON.stringify([
    nameOf(state),
    nameOf(held),
    target,
    applied?.seq,
    lease,
    attempt?.seq,
    reverts.barred?.seq,
    lately,
    kernel,
    policy?.onFailure,
    held.enforces,
    held.counted?.seq,
  ]);
}

/** Every edge as one row `from | what happens | to | what is done`, sorted. */
function edges(): readonly string[] {
  const rows = new Set<string>();
  for (const policy of policies) {
    const queue: { readonly state: State; readonly now: number }[] = [
      { state: { kind: "unenrolled" }, now: 0 },
    ];
    const known = new Set<string>();
    for (let here = queue.shift(); here !== undefined; here = queue.shift()) {
      for (const later of [1, hourMs, 100 * hourMs]) {
        const now = here.now + later;
        for (const [what, event] of happenings(here.state, policy, now)) {
          const [state, effects] = step(here.state, event);
          const moved = nameOf(state) !== nameOf(here.state);
          const done = effects
            .map(({ kind }) => kind)
            .filter((kind) => ["apply", "count", "record", "restore", "close"].includes(kind));
          if (moved || done.includes("count"))
            rows.add(
              `${nameOf(here.state)} | ${what} | ${nameOf(state)} | ${[...new Set(done)].join(", ")}`,
            );
          const key = classOf(state, now);
          if (known.has(key)) continue;
          known.add(key);
          queue.push({ state, now });
        }
      }
    }
  }
  return [...rows].sort(compareText);
}

/** The same with the doings of one edge side by side, as a table. */
function table(): string {
  const doings = new Map<string, string[]>();
  for (const row of edges()) {
    const [from = "", what = "", to = "", done = ""] = row.split(" | ");
    const edge = `${from} | ${what} | ${to}`;
    doings.set(edge, [...(doings.get(edge) ?? []), done === "" ? "–" : done]);
  }
  const lines = [...doings].map(([edge, done]) => `| ${edge} | ${done.join(" or ")} |`);
  return ["| from | what happens | to | kernel |", "|---|---|---|---|", ...lines].join("\n");
}

const between = /(<!-- edges -->\n)[\s\S]*(\n<!-- \/edges -->)/;

export function edgeFindings(root: string): readonly string[] {
  const design = readFileSync(join(root, "DESIGN.md"), "utf8");
  const wanted = `${first}\n${table()}\n${last}`;
  return design.includes(wanted)
    ? []
    : [
        "DESIGN.md: the agent's edges are not those of agent/machine/state.ts: node test/checks/edges.ts",
      ];
}

if (import.meta.main) {
  const path = join(import.meta.dirname, "..", "..", "DESIGN.md");
  writeFileSync(
    path,
    readFileSync(path, "utf8").replace(
      between,
      (_, head: string, tail: string) => `${head}${table()}${tail}`,
    ),
  );
}
