/**
 * What a command takes, declared once: how its arguments are read, its help and its completions follow from this, for
 * the operator's command line and for the agent's alike.
 */

export interface Flag {
  readonly kind: "flag";
  readonly help: string;
  readonly short?: string;
}

export interface Value {
  readonly kind: "value";
  /** What stands for the value in help, such as `FILE`. */
  readonly value: string;
  readonly help: string;
  readonly short?: string;
  readonly choices?: readonly string[];
  readonly required?: true;
  /** May be repeated. */
  readonly many?: true;
}

/** By name, without the dashes. */
export type Options = Readonly<Record<string, Flag | Value>>;

export interface Positional {
  /** What stands for it in help, such as `HOST`. */
  readonly value: string;
  readonly choices?: readonly string[];
  readonly required?: true;
  /** All that are left; only of the last. */
  readonly many?: true;
  /** What to say where it is missing. */
  readonly ask?: string;
}

/** In the order in which they stand. */
export type Positionals = Readonly<Record<string, Positional>>;

export interface Spec<O extends Options = Options, P extends Positionals = Positionals> {
  /** The words that name it, such as `root init`. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** More, in paragraphs. */
  readonly about?: readonly string[];
  readonly positionals: P;
  readonly options: O;
  /** Command lines, without the program's name. */
  readonly examples: readonly string[];
  /** How it ends, where that says more than done or failed. */
  readonly exits?: string;
}

type ChoiceOf<T> = T extends { readonly choices: readonly (infer C extends string)[] } ? C : string;
type Read<T> = T extends { readonly kind: "flag" }
  ? boolean
  : T extends { readonly many: true }
    ? readonly ChoiceOf<T>[]
    : T extends { readonly required: true }
      ? ChoiceOf<T>
      : ChoiceOf<T> | undefined;

/** What was given: a flag is true or false, what may be repeated is a list. */
export interface Given<O extends Options, P extends Positionals> {
  readonly values: { readonly [K in keyof O]: Read<O[K]> };
  readonly positionals: { readonly [K in keyof P]: Read<P[K]> };
}

type Named = { readonly short?: string };

export const flag = <const N extends Named = {}>(help: string, more?: N) =>
  ({ kind: "flag", help, ...more }) as { kind: "flag"; help: string } & N;

type More = Omit<Value, "kind" | "value" | "help">;

export const value = <const M extends More = {}>(name: string, help: string, more?: M) =>
  ({ kind: "value", value: name, help, ...more }) as {
    kind: "value";
    value: string;
    help: string;
  } & M;

/** The words of a name. */
export const wordsOf = (name: string): readonly string[] => name.split(" ");
