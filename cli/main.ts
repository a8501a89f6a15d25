#!/usr/bin/env node
/** `portcullis`: the operator's command line. Finds the command, runs it, and says how it ended in one line. */
import { pathToFileURL } from "node:url";
import type { Command, Context } from "./command.ts";
import { enrol } from "./commands/enrol.ts";
import { rootInit } from "./commands/root-init.ts";
import { exitCodes, Failure, terminal, UsageError } from "./output.ts";

const commands: readonly Command[] = [rootInit, enrol];

const overview = (): string =>
  [
    "portcullis COMMAND [OPTIONS]",
    "",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`),
    "",
    "portcullis COMMAND --help says more.",
  ].join("\n");

/** Runs one command line. @returns the exit code */
export async function main(args: readonly string[], context: Context): Promise<number> {
  const { output } = context;
  const command = commands.find(({ name }) => name.split(" ").every((word, i) => args[i] === word));
  const asksForHelp = args.includes("--help") || args.includes("-h");
  if (command === undefined) {
    if (asksForHelp || args.length === 0) output.line(overview());
    else output.error("no such command; portcullis --help lists them");
    return asksForHelp ? exitCodes.ok : exitCodes.usage;
  }
  if (asksForHelp) {
    output.line(command.help);
    return exitCodes.ok;
  }
  try {
    await command.run(args.slice(command.name.split(" ").length), context);
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof UsageError) {
      output.error(`${error.message}; portcullis ${command.name} --help says more`);
      return exitCodes.usage;
    }
    output.error(error instanceof Failure ? error.message : `unexpected: ${String(error)}`);
    return exitCodes.failed;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = await main(process.argv.slice(2), {
    env: process.env,
    output: terminal,
    now: () => Date.now(),
  });
