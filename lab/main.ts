/**
 * `npm start`: a fleet on this machine, told as a story. Decides only the order of things and the exit code; whatever
 * happens, what it made is removed before it ends.
 */
import { mkdirSync } from "node:fs";
import { once } from "node:events";
import { openChecks } from "./story/checks.ts";
import { ensureRoot, openControlPlane } from "./fleet/control-plane.ts";
import { showInvitation, showWithoutLab } from "./story/invitation.ts";
import { openLab } from "./story/lab.ts";
import { homeOf, type Options, parseOptions, usage } from "./run/options.ts";
import { findMissing } from "./net/preflight.ts";
import { makePrinter } from "./run/print.ts";
import { CannotTell } from "./run/process.ts";
import { type LabState, openState } from "./net/state.ts";
import { runStory } from "./story/story.ts";

const print = makePrinter(process.stdout, process.env);

/** Rejects what is under way when somebody asks the lab to end. */
const ended = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(name, () => ended.abort());
// Nobody reads any more, as after `| head`: the same as being asked to end, and what was made is removed.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  ended.abort();
});

const waitForEnd = async (): Promise<void> => {
  if (!ended.signal.aborted) await once(ended.signal, "abort");
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseOptions(args);
  switch (parsed.kind) {
    case "help":
      print.line(usage);
      return 0;
    case "usage":
      process.stderr.write(`lab: ${parsed.message}\n`);
      return 2;
    case "run":
      return runIn(parsed.options);
  }
}

async function runIn(options: Options): Promise<number> {
  mkdirSync(options.data, { recursive: true, mode: 0o700 });
  const state = await openState(options.data);
  if (state === undefined)
    return reportFailure(
      new Error(`another lab runs in ${options.data}: end it, or give --data DIR`),
    );
  try {
    print.heading("Portcullis lab");
    const { namespaces, processes } = await state.sweep();
    if (namespaces + processes > 0)
      print.progress(`swept a killed lab: ${namespaces} namespaces, ${processes} processes`);
    const lacking = await findMissing(process.env, state);
    return lacking.length > 0
      ? await runWithoutLab(options, state, lacking)
      : await runLab(options, state);
  } catch (error) {
    return reportFailure(error);
  } finally {
    state.release();
  }
}

async function runLab(options: Options, state: LabState): Promise<number> {
  const checks = openChecks(print);
  const lab = await openLab(options, state, (text) => print.progress(text));
  try {
    const story = runStory({ lab, print, checks }, options.runtime);
    await Promise.race([story, waitForEnd()]);
    if (ended.signal.aborted) return 130;
    print.heading(`${checks.agree} checks agree, ${checks.differ} differ`);
    if (options.once) return checks.differ === 0 ? 0 : 1;
    showInvitation(lab, print);
    await waitForEnd();
    return 0;
  } finally {
    print.progress("cleaning up");
    await lab.close();
  }
}

/** Without root or nft there is no lab, but the control plane is still worth a look. */
async function runWithoutLab(
  options: Options,
  state: LabState,
  lacking: readonly string[],
): Promise<number> {
  print.line("  The lab cannot run here. Missing:");
  for (const thing of lacking) print.line(`    - ${thing}`);
  if (options.once) {
    print.line("  Nothing was proven.");
    return 1;
  }
  const home = homeOf(options);
  const control = await openControlPlane({ ...options, data: home }, state);
  try {
    await ensureRoot(control, home);
    showWithoutLab(control, print);
    await waitForEnd();
    return 0;
  } finally {
    await control.close();
  }
}

function reportFailure(error: unknown): number {
  if (error instanceof CannotTell) {
    process.stderr.write(`lab: too busy to tell, or something broke: ${error.message}\n`);
    return 3;
  }
  process.stderr.write(`lab: ${error instanceof Error ? error.message : "failed"}\n`);
  return 1;
}
