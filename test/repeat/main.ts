/**
 * `npm run repeat`: a test that can be trusted says the same each time, on a quiet machine and on a busy one. Runs the
 * lab, `npm test` or layers of it many times and prints a table; ends with 1 when any run was not right.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseOptions, type Plan, usage } from "./options.ts";
import { type Run, runOnce, type Task } from "./run.ts";
import { tableOf } from "./table.ts";

const root = join(import.meta.dirname, "..", "..");

const ended = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => ended.abort());

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseOptions(args);
  switch (parsed.kind) {
    case "help":
      process.stdout.write(`${usage}\n`);
      return 0;
    case "usage":
      process.stderr.write(`repeat: ${parsed.message}\n`);
      return 2;
    case "run":
      return repeat(parsed.plans, parsed.minutes * 60_000);
  }
}

async function repeat(plans: readonly Plan[], limitMs: number): Promise<number> {
  process.chdir(root);
  const folder = mkdtempSync(join(tmpdir(), "portcullis-repeat-"));
  const runs: Run[] = [];
  for (const { name, beside, label } of plans.flatMap(turnsOf)) {
    if (ended.signal.aborted) break;
    const own = join(folder, label.replaceAll(/\W+/g, "-"));
    const run = await runOnce(taskOf(name, join(own, "data")), beside, own, {
      limitMs,
      ended: ended.signal,
    });
    const { code, seconds, load, summary } = run;
    process.stdout.write(
      `${code === 0 ? "ok  " : "FAIL"} ${label}: exit ${code ?? "by signal"}, ${seconds.toFixed(1)} s, ` +
        `load ${load.toFixed(1)}, ${summary}\n`,
    );
    // A run that somebody ended says nothing.
    if (ended.signal.aborted) break;
    runs.push(run);
    if (code === 0) rmSync(own, { recursive: true, force: true });
  }
  if (runs.length > 0) process.stdout.write(`\n${tableOf(runs)}\n`);
  if (runs.some(({ code }) => code !== 0))
    process.stdout.write(`output of runs that were not right: ${folder}\n`);
  else rmSync(folder, { recursive: true, force: true });
  if (ended.signal.aborted) return 130;
  return runs.every(({ code }) => code === 0) ? 0 : 1;
}

interface Turn {
  readonly name: string;
  readonly beside: Run["beside"];
  readonly label: string;
}

function turnsOf({ name, quiet, busy }: Plan): readonly Turn[] {
  const times = (beside: Run["beside"], of: number): readonly Turn[] =>
    Array.from({ length: of }, (_, i) => ({
      name,
      beside,
      label: `${name} ${beside} ${i + 1} of ${of}`,
    }));
  return [...times("quiet", quiet), ...times("busy", busy)];
}

function taskOf(name: string, data: string): Task {
  if (name === "start")
    return { name, argv: ["npm", "start", "--", "--once", "--port", "0", "--data", data] };
  return { name, argv: ["npm", "test", ...(name === "test" ? [] : ["--", name])] };
}
