/** Which command a command line means; what is no command is told with what was probably meant. Pure. */
import { findClosest } from "#schema/closest.ts";
import { type Spec, wordsOf } from "./spec.ts";

export type Found<C> =
  | { readonly kind: "command"; readonly command: C; readonly rest: readonly string[] }
  /** Words that several commands begin with, and nothing that tells them apart. */
  | { readonly kind: "group"; readonly name: string; readonly commands: readonly C[] }
  | { readonly kind: "none" }
  | { readonly kind: "unknown"; readonly message: string };

interface Named {
  readonly spec: Pick<Spec, "name">;
}

/** The command with the most words wins, so that `hosts history` is not `hosts` with an argument. */
export function findCommand<C extends Named>(
  commands: readonly C[],
  args: readonly string[],
): Found<C> {
  const words = args.slice(0, findFirstOption(args));
  const [first] = words;
  if (first === undefined) return { kind: "none" };
  const fitting = commands
    .filter(({ spec }) => wordsOf(spec.name).every((word, i) => words[i] === word))
    .toSorted((a, b) => wordsOf(b.spec.name).length - wordsOf(a.spec.name).length);
  const [command] = fitting;
  if (command !== undefined)
    return { kind: "command", command, rest: args.slice(wordsOf(command.spec.name).length) };
  const group = commands.filter(({ spec }) => wordsOf(spec.name)[0] === first);
  const [, second] = words;
  if (group.length > 0 && second === undefined)
    return { kind: "group", name: first, commands: group };
  return { kind: "unknown", message: describeUnknownCommand(commands, group, first, second) };
}

const findFirstOption = (args: readonly string[]): number => {
  const at = args.findIndex((arg) => arg.startsWith("-"));
  return at < 0 ? args.length : at;
};

function describeUnknownCommand<C extends Named>(
  commands: readonly C[],
  group: readonly C[],
  first: string,
  second: string | undefined,
): string {
  if (group.length > 0) {
    const words = group.map(({ spec }) => wordsOf(spec.name)[1] ?? "");
    const meant = findClosest(second ?? "", words);
    return meant === undefined
      ? `${first} is one of ${words.map((word) => `${first} ${word}`).join(", ")}`
      : `no such command; did you mean ${first} ${meant}?`;
  }
  const meant = findClosest(first, [
    ...new Set(commands.map(({ spec }) => wordsOf(spec.name)[0] ?? "")),
  ]);
  return `no such command${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}
