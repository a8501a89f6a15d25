/**
 * The command line, from argv to a typed command; nothing is read or started here. Each command takes its own options
 * and no other, so that one that was forgotten or put to the wrong command never passes for done.
 */
import { formatCompletions } from "#args/completion.ts";
import { exitCodes, UsageError } from "#args/exits.ts";
import { readCommandLine } from "#args/program.ts";
import { readArgs } from "#args/read.ts";
import type { Spec } from "#args/spec.ts";
import { refusedToo, specs } from "./specs.ts";
import { version as agentVersion } from "#args/version.ts";

export { exitCodes, UsageError };

/** The options of all commands; those that a command does not have are as if they were not given. */
export interface Options {
  readonly stateDir: string;
  readonly guard: string;
  readonly nft: string;
  readonly ca: string | undefined;
  readonly url: string | undefined;
  readonly rootSha256: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  /** How a host begins that joins; neither: it counts until `adopt --yes`. */
  readonly enforce: boolean;
  readonly closedFirst: boolean;
  readonly proposeGuard: boolean;
  readonly writeGuard: boolean;
  readonly lift: boolean;
  readonly yes: boolean;
  readonly json: boolean;
  /** How many of the last events to show. */
  readonly events: number;
}

export type Command =
  /** Text to print and nothing else to do. */
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: CommandName; readonly options: Options };

/** Commands that do something on this host. */
type CommandName = Exclude<keyof typeof specs, "completion">;

const program = {
  name: "portcullis-agent",
  version: agentVersion,
  about: "holds this host to the ruleset its control plane signed for it",
  commands: Object.values(specs).map((spec): { readonly spec: Spec } => ({ spec })),
  exits: refusedToo,
} as const;

/** @throws UsageError */
export function parseCommand(argv: readonly string[]): Command {
  const asked = readCommandLine(program, argv);
  switch (asked.kind) {
    case "say":
      return asked;
    case "misused":
      throw new UsageError(`${asked.message}; see --help`);
    case "run":
      return commandOf(asked.command.spec.name as keyof typeof specs, asked.args);
  }
}

/** The names of commands are those of `specs`. */
function commandOf(name: keyof typeof specs, args: readonly string[]): Command {
  if (name === "completion") {
    const { positionals } = readArgs(specs.completion, args);
    return { kind: "say", text: formatCompletions(positionals.shell, program) };
  }
  try {
    const spec: Spec = specs[name];
    const { values, positionals } = readArgs(spec, args);
    return { kind: name, options: optionsOf(values, positionals) };
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${error.message}; see ${name} --help`);
    throw error;
  }
}

type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

function optionsOf(values: Values, positionals: Values): Options {
  const readText = (name: string): string | undefined => {
    const given = values[name];
    return typeof given === "string" ? given : undefined;
  };
  const joined = positionals["url"];
  return {
    stateDir: readText("state-dir") ?? "/var/lib/portcullis",
    guard: readText("guard") ?? "/etc/portcullis/guard.yaml",
    nft: readText("nft") ?? "nft",
    ca: readText("ca"),
    url: typeof joined === "string" ? joined : readText("url"),
    rootSha256: readText("root-sha256"),
    token: readText("token"),
    tokenFile: readText("token-file"),
    enforce: values["enforce"] === true,
    closedFirst: values["closed-first"] === true,
    proposeGuard: values["propose-guard"] === true,
    writeGuard: values["write-guard"] === true,
    lift: values["lift"] === true,
    yes: values["yes"] === true,
    json: values["json"] === true,
    events: parseCount(readText("events") ?? "0"),
  };
}

function parseCount(given: string): number {
  const count = /^\d{1,4}$/.test(given) ? Number(given) : NaN;
  if (!(count <= 1000)) throw new UsageError("expected --events with a number up to 1000");
  return count;
}
