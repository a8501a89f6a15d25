/** What a whole command line asks for: help, the version, or a command with its arguments. Pure. */
import { findCommand } from "./find.ts";
import { formatCommands, helpOf, paragraph } from "./help.ts";
import type { Spec } from "./spec.ts";

export interface Program<C extends Command> {
  readonly name: string;
  readonly version: string;
  /** One line for the head of the overview. */
  readonly about: string;
  readonly commands: readonly C[];
  /** What each exit code means, for the end of the overview. */
  readonly exits: string;
}

interface Command {
  readonly spec: Spec;
}

export type Asked<C> =
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "run"; readonly command: C; readonly args: readonly string[] }
  /** `help`: what to show where nothing at all was asked for. */
  | { readonly kind: "misused"; readonly message: string; readonly help?: string };

export function readCommandLine<C extends Command>(
  program: Program<C>,
  args: readonly string[],
): Asked<C> {
  const [first, ...rest] = args;
  const helped = first === "help" ? rest : args;
  const asksForHelp = first === "help" || asksFor(args, ["--help", "-h"]);
  if (first === "--version") return { kind: "say", text: program.version };
  const found = findCommand(program.commands, helped);
  switch (found.kind) {
    case "command":
      return asksForHelp
        ? { kind: "say", text: helpOf(program.name, found.command.spec) }
        : { kind: "run", command: found.command, args: found.rest };
    case "group": {
      if (asksForHelp) return { kind: "say", text: groupHelp(program, found.name, found.commands) };
      const names = found.commands.map(({ spec }) => spec.name).join(", ");
      return { kind: "misused", message: `which of ${names}?` };
    }
    case "none":
      return asksForHelp
        ? { kind: "say", text: overview(program) }
        : { kind: "misused", message: "expected a command", help: overview(program) };
    case "unknown":
      return { kind: "misused", message: found.message };
  }
}

/** What stands after `--` is no option. */
const asksFor = (args: readonly string[], options: readonly string[]): boolean => {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? undefined : end).some((arg) => options.includes(arg));
};

const overview = <C extends Command>({ name, about, commands, exits }: Program<C>): string =>
  [
    `${name}: ${about}`,
    `${name} COMMAND [OPTIONS]`,
    formatCommands(commands.map(({ spec }) => spec)).join("\n"),
    `${name} COMMAND --help says more.`,
    paragraph(`Exit codes: ${exits}`),
  ].join("\n\n");

const groupHelp = <C extends Command>(
  { name }: Program<C>,
  group: string,
  commands: readonly C[],
): string =>
  [
    `${name} ${group} COMMAND [OPTIONS]`,
    formatCommands(commands.map(({ spec }) => spec)).join("\n"),
    `${name} ${group} COMMAND --help says more.`,
  ].join("\n\n");
