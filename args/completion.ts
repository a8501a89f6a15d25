/** Completions for bash, zsh and fish, written out from what commands declare: a shell needs nothing else. Pure. */
import {
  type Flag,
  type Options,
  type Positional,
  type Spec,
  type Value,
  wordsOf,
} from "./spec.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

interface Completed {
  readonly name: string;
  readonly commands: readonly { readonly spec: Spec }[];
}

export function formatCompletions(shell: Shell, program: Completed): string {
  const specs = program.commands.map(({ spec }) => spec);
  switch (shell) {
    case "bash":
      return formatBash(program.name, specs);
    case "zsh":
      return formatZsh(program.name, specs);
    case "fish":
      return formatFish(program.name, specs);
  }
}

/** What may stand next, with a line about it. */
interface Word {
  readonly text: string;
  readonly about: string;
}

/** The beginnings of commands: `""`, `rollout`, `rollout start`. */
function pathsOf(specs: readonly Spec[]): readonly string[] {
  const paths = specs.flatMap(({ name }) =>
    wordsOf(name).map((_, i, words) => words.slice(0, i + 1).join(" ")),
  );
  return ["", ...new Set(paths)];
}

/** Words that come after a path: the next word of a command, or the options of one that is whole. */
function listWordsAfter(specs: readonly Spec[], path: string): readonly Word[] {
  const begun = path === "" ? specs : specs.filter(({ name }) => name.startsWith(`${path} `));
  const next = new Map<string, string>();
  for (const { name, summary } of begun) {
    const words = wordsOf(name);
    const word = words[path === "" ? 0 : wordsOf(path).length] ?? "";
    const whole = (path === "" ? word : `${path} ${word}`) === name;
    if (whole || !next.has(word)) next.set(word, whole ? summary : `${word} ...`);
  }
  const commands = [...next].map(([text, about]) => ({ text, about }));
  const spec = specs.find(({ name }) => name === path);
  if (spec === undefined) return commands;
  return [...commands, ...placeWords(spec), ...optionWords(spec.options)];
}

const placeWords = ({ positionals }: Spec): readonly Word[] =>
  Object.values(positionals).flatMap(({ choices = [], value }) =>
    choices.map((text) => ({ text, about: value })),
  );

const optionWords = (options: Options): readonly Word[] => [
  ...Object.entries(options).map(([name, { help }]) => ({
    text: `--${name}`,
    about: firstLine(help),
  })),
  { text: "--help", about: "what the command takes" },
];

const firstLine = (help: string): string => (help.split("\n")[0] ?? "").split(/[;:] /)[0] ?? "";

/** Values that come after an option, or whether it takes a file. */
interface AfterOption {
  readonly path: string;
  readonly options: readonly string[];
  readonly takes: "file" | "anything" | readonly string[];
}

const takesFile = ({ value }: Value | Positional): boolean => /FILE|DIR|PATH/.test(value);

function listValuesAfter(specs: readonly Spec[]): readonly AfterOption[] {
  return specs.flatMap(({ name: path, options }) =>
    Object.entries(options).flatMap(([name, option]): readonly AfterOption[] =>
      option.kind === "flag"
        ? []
        : [
            {
              path,
              options: namesOf(name, option),
              takes: option.choices ?? (takesFile(option) ? "file" : "anything"),
            },
          ],
    ),
  );
}

const namesOf = (name: string, { short }: Flag | Value): readonly string[] =>
  short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];

const quoteText = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function formatBash(program: string, specs: readonly Spec[]): string {
  const paths = pathsOf(specs);
  const after = listValuesAfter(specs).map(({ path, options, takes }) => {
    const pattern = options.map((option) => quoteText(`${path}:${option}`)).join("|");
    const action =
      takes === "file"
        ? 'COMPREPLY=($(compgen -f -- "$cur"))'
        : takes === "anything"
          ? "COMPREPLY=()"
          : `COMPREPLY=($(compgen -W ${quoteText(takes.join(" "))} -- "$cur"))`;
    return `    ${pattern}) ${action}; return ;;`;
  });
  const words = paths.map((path) => {
    const texts = listWordsAfter(specs, path).map(({ text }) => text);
    return `    ${quoteText(path)}) words=${quoteText(texts.join(" "))} ;;`;
  });
  return `# bash completion for ${program}: ${program} completion bash
_${ident(program)}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${paths
        .filter((path) => path !== "")
        .map(quoteText)
        .join("|")}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path:\${COMP_WORDS[COMP_CWORD-1]}" in
${after.join("\n")}
  esac
  case "$path" in
${words.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _${ident(program)} ${program}
`;
}

function formatZsh(program: string, specs: readonly Spec[]): string {
  const paths = pathsOf(specs);
  const after = listValuesAfter(specs).map(({ path, options, takes }) => {
    const pattern = options.map((option) => quoteText(`${path}:${option}`)).join("|");
    const action =
      takes === "file"
        ? "_files"
        : takes === "anything"
          ? ":"
          : `compadd -- ${takes.map(quoteText).join(" ")}`;
    return `    ${pattern}) ${action}; return ;;`;
  });
  const words = paths.map((path) => {
    const texts = listWordsAfter(specs, path).map(({ text, about }) =>
      quoteText(`${text.replaceAll(":", "\\:")}:${about}`),
    );
    return `    ${quoteText(path)}) list=(${texts.join(" ")}) ;;`;
  });
  return `#compdef ${program}
# zsh completion for ${program}: ${program} completion zsh
_${ident(program)}() {
  local at='' word
  local -a list
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${at:+$at }$word" in
      ${paths
        .filter((path) => path !== "")
        .map(quoteText)
        .join("|")}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at:\${words[CURRENT-1]}" in
${after.join("\n")}
  esac
  case "$at" in
${words.join("\n")}
  esac
  _describe ${quoteText(program)} list || _files
}
if [ "$funcstack[1]" = _${ident(program)} ]; then _${ident(program)} "$@"; else compdef _${ident(program)} ${program}; fi
`;
}

function formatFish(program: string, specs: readonly Spec[]): string {
  const paths = pathsOf(specs);
  const at = (path: string): string =>
    `-n ${quoteText(`__${ident(program)}_at ${quoteText(path)}`)}`;
  const words = paths.flatMap((path) =>
    listWordsAfter(specs, path)
      .filter(({ text }) => !text.startsWith("-"))
      .map(
        ({ text, about }) =>
          `complete -c ${program} ${at(path)} -a ${quoteText(text)} -d ${quoteText(about)}`,
      ),
  );
  const options = specs.flatMap(({ name: path, options: known }) =>
    Object.entries(known).map(([name, option]) => {
      const short = option.short === undefined ? "" : ` -s ${option.short}`;
      const takes =
        option.kind === "flag"
          ? ""
          : option.choices !== undefined
            ? ` -x -a ${quoteText(option.choices.join(" "))}`
            : takesFile(option)
              ? " -r -F"
              : " -x";
      return `complete -c ${program} ${at(path)} -l ${name}${short}${takes} -d ${quoteText(firstLine(option.help))}`;
    }),
  );
  return `# fish completion for ${program}: ${program} completion fish
function __${ident(program)}_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim "$at $word")
    contains -- $next ${paths
      .filter((path) => path !== "")
      .map(quoteText)
      .join(" ")}; and set at $next
  end
  test "$at" = "$argv[1]"
end
complete -c ${program} -f
${[...words, ...options].join("\n")}
`;
}

const ident = (program: string): string => program.replaceAll("-", "_");
