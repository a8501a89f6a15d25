/**
 * `npm run simulate-fleet -- --hosts 1000 --poisoned 3%`: simulated agents under one rollout. Prints how far the bad
 * revision got, how long it took to halt (simulated time) and what that cost; with `--store` it is the real control
 * plane that they call. Ends with 1 when more than one wave had it beyond what evidence promoted, or when polls that
 * change nothing touched the store, or one agent was taken for two; with 2 for a word it does not know. The same seed gives the same story.
 */
import { randomInt } from "node:crypto";
import * as z from "zod";
import { Gates, Strategy } from "#schema/rollout.ts";
import { readWords } from "#test/support/words.ts";
import { type Outcome, simulateFleet } from "./fleet.ts";
import type { RolloutState } from "#core/rollout/index.ts";
import { type Fleet, openPure } from "./plane.ts";
import { openStore, type StorePlane } from "./store.ts";

const usage = `npm run simulate-fleet -- [words]
  --hosts N       hosts, 1 to 100000 (1000)
  --poisoned P    share that the revision cuts off, which take themselves back (3%)
  --lost P        reports that never arrive, and are sent again with the next poll (5%)
  --duplicate P   reports that arrive twice (5%)
  --late P        reports that arrive up to five minutes late (5%)
  --offline P     hosts that were silent before, and stay so (1%)
  --seed N        of everything random; printed (random)
  --no-rollback   halt only
  --store         the real app and its database; then all hosts poll on, which must touch no storage`;

const Share = z
  .string()
  .regex(/^\d+(\.\d+)?%?$/, { error: "expected a percentage" })
  .transform((text) => Number(text.replace("%", "")) / 100)
  .pipe(z.number().max(1));
const share = (percent: string) => Share.prefault(percent);

const {
  "no-rollback": noRollback,
  store,
  seed = randomInt(0x7fff_ffff),
  ...chances
} = readWords(
  usage,
  z.strictObject({
    hosts: z.coerce.number().int().min(1).max(100_000).default(1000),
    poisoned: share("3%"),
    lost: share("5%"),
    duplicate: share("5%"),
    late: share("5%"),
    offline: share("1%"),
    seed: z.coerce.number().int().min(0).max(0x7fff_ffff).optional(),
    "no-rollback": z.boolean().default(false),
    store: z.boolean().default(false),
  }),
);

const minutes = (ms: number | null): string =>
  ms === null ? "–" : `${(ms / 60_000).toFixed(1)} min`;

function print(outcome: Outcome): void {
  console.log(`waves          ${outcome.waves.join(", ")}`);
  console.log(
    `ended          ${outcome.status} after ${minutes(outcome.endedMs)}${outcome.reason === "" ? "" : `: ${outcome.reason}`}`,
  );
  console.log(
    `took it        ${outcome.took} hosts, ${outcome.exposed} of the wave it ended in, ${outcome.beyond} beyond it`,
  );
  console.log(
    `time to halt   ${minutes(outcome.haltMs)} from the first host that took itself back; healed ${minutes(outcome.healedMs)}`,
  );
  for (const line of outcome.cost) console.log(`cost           ${line}`);
}

/** A line every ten seconds of the watcher's own time. */
function progress(): (minute: number, state: RolloutState) => void {
  let last = performance.now();
  return (minute, { status, wave, entries }) => {
    if (performance.now() - last < 10_000) return;
    last = performance.now();
    const committed = entries.filter(({ standing }) => standing === "committed").length;
    console.error(
      `minute ${minute}: ${status}, wave ${wave}, ${committed} of ${entries.length} committed`,
    );
  };
}

/** Polls when nothing changes any more. @returns whether they left the store alone */
async function settle(plane: StorePlane): Promise<boolean> {
  const { polls, statements, refreshes, changed, clones } = await plane.pollUnchanged();
  console.log(
    `then           ${polls} polls, ${changed} not 304, ${statements} statements for hosts, ${refreshes} looks at the fleet's news, ${clones} hosts taken for clones`,
  );
  return statements === 0 && changed === 0 && clones === 0;
}

console.log(`seed ${seed}, ${chances.hosts} hosts`);
const options = {
  ...chances,
  seed,
  strategy: Strategy.parse({ kind: "canary" }),
  gates: { ...Gates.parse({}), auto_rollback: !noRollback },
};
const planes: StorePlane[] = [];
const opened = async (fleet: Fleet): Promise<StorePlane> => {
  const plane = await openStore(fleet);
  planes.push(plane);
  return plane;
};
const outcome = await simulateFleet(options, store ? opened : openPure, progress());
print(outcome);
process.exitCode = outcome.beyond === 0 && outcome.grown === 0 ? 0 : 1;
for (const plane of planes) {
  if (!(await settle(plane))) process.exitCode = 1;
  await plane.close();
}
