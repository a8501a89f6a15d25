#!/usr/bin/env node
/**
 * portcullis-agent: argv in, exit status out. Every failure is one line on standard error: no stack trace, no secret.
 */
import { text } from "node:stream/consumers";
import { ApplyError } from "./backend/nft/apply-error.ts";
import { type Command, exitCodes, parseCommand, UsageError } from "./commands/args.ts";
import { adopt } from "./commands/adopt.ts";
import { once, run } from "./commands/cycle.ts";
import { enrol } from "./commands/enrol.ts";
import { closeHost, leave, print, showStatus } from "./commands/local.ts";
import type { Terminal } from "./commands/open.ts";
import { isErrno } from "./disk/files.ts";
import { printable, Refused } from "./machine/refusal.ts";

const nodeMajorMin = 24;

async function dispatch(command: Command, terminal: Terminal): Promise<number> {
  switch (command.kind) {
    case "say":
      terminal.out(`${command.text.trimEnd()}\n`);
      return exitCodes.ok;
    case "join":
      return enrol(command.options, terminal);
    case "adopt":
      return adopt(command.options, terminal);
    case "run":
      return run(command.options, terminal);
    case "once":
      return once(command.options, terminal);
    case "status":
      return showStatus(command.options, terminal);
    case "render":
      return print(command.options, terminal);
    case "closed":
      return closeHost(command.options, terminal);
    case "leave":
      return leave(command.options, terminal);
  }
}

/** Status and the one line to say. A file's path is a person's own input; anything unforeseen is named, not quoted. */
function explain(error: unknown): { readonly status: number; readonly line: string } {
  if (error instanceof UsageError) return { status: exitCodes.usage, line: error.message };
  if (error instanceof Refused)
    return { status: exitCodes.refused, line: `${error.code}: ${error.message}` };
  if (error instanceof ApplyError)
    return { status: exitCodes.failed, line: `${error.code}: ${error.message}` };
  if (isErrno(error))
    return { status: exitCodes.failed, line: `${error.code} ${error.path ?? ""}`.trim() };
  return {
    status: exitCodes.failed,
    line: `unexpected ${error instanceof Error ? error.name : "failure"}`,
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const say = (line: string): void =>
    void process.stderr.write(`portcullis-agent: ${printable(line)}\n`);
  const terminal: Terminal = {
    out: (content) => void process.stdout.write(content),
    log: say,
    stdin: () => text(process.stdin),
    stop: stop.signal,
  };
  if (Number(process.versions.node.split(".")[0]) < nodeMajorMin) {
    say(`needs Node.js ${nodeMajorMin} or later, this is ${process.versions.node}`);
    return exitCodes.failed;
  }
  try {
    return await dispatch(parseCommand(argv), terminal);
  } catch (error) {
    const { status: exit, line } = explain(error);
    say(line);
    return exit;
  }
}

process.exitCode = await main(process.argv.slice(2));
