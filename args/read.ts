/**
 * Reads arguments strictly: an option that a command does not have, a value that is missing and an argument too many
 * are refused before anything runs. Node's own parser finds the tokens; which of them are known is judged here, so that
 * a message names the option, says what was probably meant, and never quotes a value.
 */
import { parseArgs } from "node:util";
import { findClosest } from "#schema/closest.ts";
import { UsageError } from "./exits.ts";
import type { Flag, Given, Options, Positional, Positionals, Spec, Value } from "./spec.ts";

/** @throws UsageError */
export function readArgs<O extends Options, P extends Positionals>(
  spec: Spec<O, P>,
  args: readonly string[],
): Given<O, P> {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(Object.entries(spec.options).map(parserOption)),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const found = new Map<string, string[]>();
  const rest: string[] = [];
  for (const token of tokens)
    if (token.kind === "positional") rest.push(token.value);
    else if (token.kind === "option") take(spec.options, found, token);
  return {
    values: Object.fromEntries(
      Object.entries(spec.options).map(([name, option]) => [
        name,
        parseOption(name, option, found.get(name)),
      ]),
    ) as Given<O, P>["values"],
    positionals: readPositionals(spec.positionals, rest) as Given<O, P>["positionals"],
  };
}

const parserOption = ([name, option]: readonly [string, Flag | Value]) =>
  [
    name,
    {
      type: option.kind === "flag" ? "boolean" : "string",
      ...(option.short === undefined ? {} : { short: option.short }),
    },
  ] as const;

interface Token {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function take(options: Options, found: Map<string, string[]>, token: Token): void {
  const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
  if (option === undefined) throw new UsageError(describeUnknownOption(options, token.rawName));
  const { rawName } = token;
  const before = found.get(token.name) ?? [];
  if (option.kind === "flag") {
    if (token.value !== undefined) throw new UsageError(`${rawName} takes no value`);
    found.set(token.name, [...before, ""]);
    return;
  }
  const { value: given } = token;
  if (given === undefined)
    throw new UsageError(`${rawName} needs a value: ${rawName} ${option.value}`);
  // What begins with a dash is more likely the next option than a value.
  if (token.inlineValue !== true && /^-./.test(given))
    throw new UsageError(
      `${rawName} needs a value: ${rawName} ${option.value}, or ${rawName}=… for one with a dash`,
    );
  if (before.length > 0 && option.many !== true) throw new UsageError(`${rawName} is given twice`);
  found.set(token.name, [...before, given]);
}

/** Names the option where it can be one; what cannot may be a value in the wrong place, such as a token. */
function describeUnknownOption(options: Options, rawName: string): string {
  if (!/^--?[a-z][a-z0-9-]{0,20}$/.test(rawName)) return "an option that there is none of";
  const meant = findClosest(rawName.replace(/^--?/, ""), Object.keys(options));
  return `unknown option ${rawName}${meant === undefined ? "" : `; did you mean --${meant}?`}`;
}

function parseOption(name: string, option: Flag | Value, given: readonly string[] | undefined) {
  if (option.kind === "flag") return given !== undefined;
  if (given === undefined && option.required === true)
    throw new UsageError(`${formatOptionName(name, option)} is needed`);
  for (const text of given ?? [])
    if (option.choices?.includes(text) === false)
      throw new UsageError(`--${name} is ${formatChoices(option.choices)}`);
  return option.many === true ? (given ?? []) : given?.[0];
}

/** As people know it: by its letter where it has one. */
const formatOptionName = (name: string, { short }: Value): string =>
  short === undefined ? `--${name}` : `-${short}`;

const formatChoices = (choices: readonly string[]): string =>
  choices.length === 2 ? choices.join(" or ") : `one of ${choices.join(", ")}`;

function readPositionals(positionals: Positionals, given: readonly string[]) {
  const read = Object.entries(positionals).map(([name, positional], i, all) => {
    const last = i === all.length - 1;
    const texts = last && positional.many === true ? given.slice(i) : given.slice(i, i + 1);
    return [name, parsePositional(positional, texts)] as const;
  });
  const takesAll = Object.values(positionals).at(-1)?.many === true;
  if (!takesAll && given.length > read.length) throw new UsageError("too many arguments");
  return Object.fromEntries(read);
}

function parsePositional(
  { value, choices, required, many, ask }: Positional,
  texts: readonly string[],
) {
  if (texts.length === 0 && required === true) throw new UsageError(ask ?? `${value} is needed`);
  for (const text of texts)
    if (choices?.includes(text) === false)
      throw new UsageError(`${value} is ${formatChoices(choices)}`);
  return many === true ? texts : texts[0];
}
