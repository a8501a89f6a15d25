/**
 * `npm test`: the checks, then every layer of proof; `npm test -- unit kernel` runs only those named. Says what it is
 * doing, shows what failed in full, and ends with one line, `N passed, N failed`. Exit code 1 if anything failed, 130 when a
 * signal ended it.
 */
import { printOutcome } from "./checks/print.ts";
import { runStep, steps } from "./checks/steps.ts";
import { layers, type Layer } from "./layers/layers.ts";
import { inParallel } from "./layers/parallel.ts";
import { runLayer, type LayerOutcome } from "./layers/run-layer.ts";

const heartbeatMilliseconds = 15_000;

/** A layer is a process group of its own, which no Ctrl-C reaches: whoever is asked to end ends it too. */
const ended = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => ended.abort());

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function check(): Promise<readonly Counts[]> {
  return inParallel(2, steps, async (step) => {
    const outcome = await runStep(step);
    printOutcome("check", outcome);
    return outcome.passed ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  });
}

function report(outcome: LayerOutcome): void {
  const { name, passed, failed, seconds } = outcome;
  say(
    `${failed === 0 ? "ok  " : "FAIL"} ${name}: ${passed} passed, ${failed} failed (${seconds.toFixed(1)} s)`,
  );
  if (failed > 0)
    say(
      [outcome.output.trimEnd(), ...outcome.reasons.map((reason) => `${name}: ${reason}`), ""].join(
        "\n",
      ),
    );
}

/** Runs a layer and says every so often how far it is. */
async function prove(layer: Layer): Promise<Counts> {
  say(`...  ${layer.name}`);
  const started = performance.now();
  let [finished, last] = [0, ""];
  const beat = setInterval(() => {
    const seconds = Math.round((performance.now() - started) / 1000);
    say(
      `...  ${layer.name}: ${seconds} s, ${finished} tests ended${last === "" ? "" : `, last ${last}`}`,
    );
  }, heartbeatMilliseconds);
  const hear = (text: string): void => {
    const tests = [...text.matchAll(/^(?:passed|failed) (\S+) > .*$/gm)];
    finished += tests.length;
    last = tests.at(-1)?.[1] ?? last;
  };
  const outcome = await runLayer(layer, hear, { ended: ended.signal }).finally(() =>
    clearInterval(beat),
  );
  report(outcome);
  return outcome;
}

/** The layers to run: all, or those named in the arguments. @throws {Error} on a name that is no layer. */
function chosen(names: readonly string[]): {
  readonly checks: boolean;
  readonly wanted: readonly Layer[];
} {
  const known = ["check", ...layers.map((layer) => layer.name)];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`no such layer: ${unknown.join(", ")}; there are ${known.join(", ")}`);
  if (names.length === 0) return { checks: true, wanted: layers };
  return {
    checks: names.includes("check"),
    wanted: layers.filter((layer) => names.includes(layer.name)),
  };
}

const { checks, wanted } = chosen(process.argv.slice(2));
const counts: Counts[] = [];
if (checks) counts.push(...(await check()));
const none: Counts = { passed: 0, failed: 0 };
counts.push(
  ...(await inParallel(2, wanted, async (layer) => (ended.signal.aborted ? none : prove(layer)))),
);
const total = (of: keyof Counts): number => counts.reduce((sum, count) => sum + count[of], 0);
say(`${total("passed")} passed, ${total("failed")} failed`);
process.exitCode = ended.signal.aborted ? 130 : total("failed") === 0 ? 0 : 1;
