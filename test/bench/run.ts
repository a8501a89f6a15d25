/**
 * `npm run bench`: every benchmark beside its floor in the same run, as a ratio. Ends with 1 when a goal is missed or a
 * benchmark breaks, after the others.
 * `npm run bench -- apply` runs the named ones.
 */
import { bench as apply } from "./apply.ts";
import { bench as check } from "./check.ts";
import { bench as compile } from "./compile.ts";
import { bench as footprint } from "./footprint.ts";
import { bench as guard } from "./guard.ts";
import { bench as packet } from "./packet.ts";
import { bench as poll } from "./poll.ts";
import { bench as rollout } from "./rollout.ts";
import { bench as rolloutRows } from "./rollout-rows.ts";

interface Row {
  readonly name: string;
  readonly value: number;
  readonly floor: number;
  readonly ratio: number;
  readonly goal: number | null;
}
interface Bench {
  readonly run: () => Promise<readonly Row[]>;
  /** Which side of its goal a ratio must be on. */
  readonly goal: "at most" | "at least";
}

const benches: Readonly<Record<string, Bench>> = {
  apply: { run: apply, goal: "at most" },
  check: { run: check, goal: "at most" },
  compile: { run: compile, goal: "at most" },
  footprint: { run: footprint, goal: "at most" },
  guard: { run: guard, goal: "at most" },
  packet: { run: packet, goal: "at most" },
  poll: { run: poll, goal: "at most" },
  rollout: { run: rollout, goal: "at most" },
  rows: { run: rolloutRows, goal: "at most" },
};

const meets = (row: Row, { goal }: Bench): boolean =>
  row.goal === null || (goal === "at most" ? row.ratio <= row.goal : row.ratio >= row.goal);

const number = (value: number): string => value.toFixed(value < 100 ? 1 : 0).padStart(9);

function print(row: Row, bench: Bench): void {
  const goal = row.goal === null ? "no goal" : `${bench.goal} ${row.goal}`;
  const outcome = row.goal === null ? "" : meets(row, bench) ? "  ok" : "  MISSED";
  const ratio = row.ratio.toFixed(2).padStart(6);
  console.log(
    `${row.name.padEnd(46)}${number(row.value)} ${number(row.floor)} ${ratio}  ${goal}${outcome}`,
  );
}

/** A benchmark that breaks misses its goals, and the others are measured all the same. */
async function rowsOf(name: string, bench: Bench): Promise<readonly Row[]> {
  try {
    return await bench.run();
  } catch (error) {
    console.log(
      `${name.padEnd(46)}FAILED  ${error instanceof Error ? error.message : String(error)}`,
    );
    process.exitCode = 1;
    return [];
  }
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}

console.log(`${"".padEnd(46)}${"ours".padStart(9)} ${"floor".padStart(9)}  ratio`);
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const row of await rowsOf(name, bench)) {
    print(row, bench);
    if (!meets(row, bench)) process.exitCode = 1;
  }
}
