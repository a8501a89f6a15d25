/**
 * Names of functions (DESIGN §3): the first word is a verb, unless the function is a plain accessor: an arrow of one expression,
 * or a name that says of what it is (`portsOf`). A participle alone is no name. Retired words come back in none, nor in
 * the names of files, types, classes and values. Fields are left out: what is on the wire or stored keeps its name.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { declaredNames, namedFunctions } from "#test/house/measure.ts";
import { isVerbFirst } from "#test/house/verbs.ts";
import { trackedFiles } from "./tracked.ts";

const irregular = new Set(
  "held told heard known given written said seen kept left lost sent made taken shown found built put-off gone drawn grown begun".split(
    " ",
  ),
);
/** `-ed` words that are no participles here. */
const nouns = new Set(["need", "feed", "seed", "embed", "shed", "speed", "exceed", "proceed"]);

const wordsOf = (name: string): readonly string[] =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(" ");

const isParticiple = (word: string): boolean =>
  irregular.has(word) || (word.endsWith("ed") && word.length > 3 && !nouns.has(word));

/** What is wrong with a function's name; undefined when nothing is. */
export function nameFault(
  name: string,
  isAccessor: boolean,
  retired: ReadonlySet<string>,
): string | undefined {
  const words = wordsOf(name);
  const old = words.find((word) => retired.has(word));
  if (old !== undefined) return `"${old}" is retired (DESIGN §3)`;
  if (isVerbFirst(name) || name === "main") return undefined;
  if (isAccessor || /[a-z](?:Of|At|By|In|With)$/.test(name))
    return words.length === 1 && isParticiple(name) ? "is a participle" : undefined;
  return "does not begin with a verb";
}

/** The words of the table of retired words in DESIGN §3. */
export const retiredWords = (design: string): ReadonlySet<string> => {
  const table = design.split("| retired | say |")[1]?.split("\n\n")[0] ?? "";
  return new Set([...table.matchAll(/^\| `(\w+)`/gm)].map(([, word = ""]) => word));
};

/** What is wrong with the name of a type, a class or a value that is declared; undefined when nothing is. */
export function declaredFault(name: string, retired: ReadonlySet<string>): string | undefined {
  const old = wordsOf(name).find((word) => retired.has(word));
  return old === undefined ? undefined : `"${old}" is retired (DESIGN §3)`;
}

/** Whose names a library gives: D1's own API over another database, and the configuration of a test runner. */
const named = new Set(["worker/standalone/sql.ts", "vitest.workerd.config.ts"]);

export function nameFindings(root: string): readonly string[] {
  const retired = retiredWords(readFileSync(join(root, "DESIGN.md"), "utf8"));
  return trackedFiles(root)
    .filter((path) => path.endsWith(".ts") && !path.startsWith("test/") && !named.has(path))
    .flatMap((path) => {
      const source = { path, text: readFileSync(join(root, path), "utf8") };
      const faults = [
        ...namedFunctions(source).map(({ name, isExpression }) => ({
          name,
          fault: nameFault(name, isExpression, retired),
        })),
        ...[...declaredNames(source), basename(path, ".ts")].map((name) => ({
          name,
          fault: declaredFault(name, retired),
        })),
      ];
      return [
        ...new Set(
          faults.flatMap(({ name, fault }) =>
            fault === undefined ? [] : [`${path}: ${name}: ${fault}`],
          ),
        ),
      ];
    });
}
