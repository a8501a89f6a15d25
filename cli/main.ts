#!/usr/bin/env node
/** `portcullis`: the operator's command line. Finds the command, runs it, and says how it ended in one line. */
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { type ExitCode, exitCodes, UsageError } from "#args/exits.ts";
import { readCommandLine } from "#args/program.ts";
import type { Command, Context } from "./run/command.ts";
import { program } from "./commands/index.ts";
import { Failure, Failures, openTerminal } from "./text/output.ts";

/** Runs one command line. @returns the exit code */
export async function main(args: readonly string[], context: Context): Promise<ExitCode> {
  const { output } = context;
  const asked = readCommandLine<Command>(program, args);
  switch (asked.kind) {
    case "say":
      output.line(asked.text);
      return exitCodes.ok;
    case "misused":
      if (asked.help === undefined)
        output.error(`portcullis: ${asked.message}; portcullis --help lists all`);
      else output.line(asked.help);
      return exitCodes.usage;
    case "run":
      return run(asked.command, asked.args, context);
  }
}

async function run(command: Command, args: readonly string[], context: Context): Promise<ExitCode> {
  try {
    return await command.run(args, context);
  } catch (error) {
    for (const line of listFailureLines(error, command.spec.name)) context.output.error(line);
    return error instanceof UsageError ? (command.misused ?? exitCodes.usage) : exitCodes.failed;
  }
}

/** Findings in files stand alone, so that editors find `file:line:column`. */
function listFailureLines(error: unknown, command: string): readonly string[] {
  if (error instanceof Failures) return error.lines;
  if (error instanceof UsageError)
    return [`portcullis: ${error.message}; portcullis ${command} --help says more`];
  return [
    `portcullis: ${error instanceof Failure ? error.message : `unexpected: ${String(error)}`}`,
  ];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  // A reader such as `head` that has seen enough is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  process.exitCode = await main(process.argv.slice(2), {
    env: process.env,
    output: openTerminal(process.env),
    now: () => Date.now(),
    wait: (milliseconds) => setTimeout(milliseconds),
  });
}
