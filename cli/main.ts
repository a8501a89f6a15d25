#!/usr/bin/env node
/** `portcullis`: the operator's command line. Finds the command, runs it, and says how it ended in one line. */
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Command, Context } from "./command.ts";
import { apply } from "./commands/apply.ts";
import { cosignList, cosignShow, cosignSign } from "./commands/cosign.ts";
import { enrol } from "./commands/enrol.ts";
import { hosts } from "./commands/hosts.ts";
import { invitationList, invitationRevoke } from "./commands/invitation.ts";
import { pin, unpin } from "./commands/pin.ts";
import { plan } from "./commands/plan.ts";
import { revisions } from "./commands/revisions.ts";
import { rolloutActions } from "./commands/rollout-act.ts";
import { rolloutHosts, rolloutList, rolloutShow } from "./commands/rollout-read.ts";
import { rolloutStart, rolloutWatch } from "./commands/rollout-start.ts";
import { rootInit } from "./commands/root-init.ts";
import { rootKeyMake } from "./commands/root-key.ts";
import { rootPush } from "./commands/root-push.ts";
import { rootRotate } from "./commands/root-rotate.ts";
import { rootShow } from "./commands/root-show.ts";
import { rootSign } from "./commands/root-sign.ts";
import { ruleset } from "./commands/ruleset.ts";
import { tokenCreate, tokenList, tokenRevoke } from "./commands/token.ts";
import { type ExitCode, exitCodes, Failure, Failures, terminal, UsageError } from "./output.ts";

const commands: readonly Command[] = [
  plan,
  apply,
  rolloutStart,
  rolloutList,
  rolloutShow,
  rolloutHosts,
  rolloutWatch,
  ...rolloutActions,
  pin,
  unpin,
  hosts,
  enrol,
  invitationList,
  invitationRevoke,
  revisions,
  ruleset,
  tokenCreate,
  tokenList,
  tokenRevoke,
  rootInit,
  rootShow,
  rootKeyMake,
  rootRotate,
  rootSign,
  rootPush,
  cosignList,
  cosignShow,
  cosignSign,
];

const widest = Math.max(...commands.map(({ name }) => name.length)) + 1;

const overview = (): string =>
  [
    "portcullis COMMAND [OPTIONS]",
    "",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(widest)} ${summary}`),
    "",
    "portcullis COMMAND --help says more.",
    "Exit codes: 0 done, 1 failed, 2 called wrongly; plan: 0 no change, 1 an error, 2 changes;",
    "a rollout that is watched: 0 completed, 1 halted, rolled back or taken over, 3 paused.",
  ].join("\n");

/** Runs one command line. @returns the exit code */
export async function main(args: readonly string[], context: Context): Promise<ExitCode> {
  const { output } = context;
  const command = commands.find(({ name }) => name.split(" ").every((word, i) => args[i] === word));
  const asksForHelp = args.includes("--help") || args.includes("-h");
  if (command === undefined) {
    if (asksForHelp || args.length === 0) output.line(overview());
    else output.error(`portcullis: ${noSuchCommand(args[0] ?? "")}`);
    return asksForHelp ? exitCodes.ok : exitCodes.usage;
  }
  if (asksForHelp) {
    output.line(command.help);
    return exitCodes.ok;
  }
  try {
    return await command.run(args.slice(command.name.split(" ").length), context);
  } catch (error) {
    for (const line of failureLines(error, command.name)) output.error(line);
    return error instanceof UsageError ? (command.misused ?? exitCodes.usage) : exitCodes.failed;
  }
}

/** Findings in files stand alone, so that editors find `file:line:column`. */
function failureLines(error: unknown, command: string): readonly string[] {
  if (error instanceof Failures) return error.lines;
  if (error instanceof UsageError)
    return [`portcullis: ${error.message}; portcullis ${command} --help says more`];
  return [`portcullis: ${error instanceof Failure ? error.message : `unexpected: ${String(error)}`}`];
}

function noSuchCommand(word: string): string {
  const family = commands.map(({ name }) => name).filter((name) => name.startsWith(`${word} `));
  return family.length === 0
    ? "no such command; portcullis --help lists them"
    : `which of ${family.join(", ")}?`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  // A reader such as `head` that has seen enough is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  process.exitCode = await main(process.argv.slice(2), {
    env: process.env,
    output: terminal(process.env),
    now: () => Date.now(),
    wait: (milliseconds) => setTimeout(milliseconds),
  });
}
