/** `npm run mutants` takes minutes; that each mutant still changes what it is about, and names a proof that exists, is seen here. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mutants } from "../mutants/mutants.ts";
import { mutated, root } from "../mutants/trial.ts";

const textOf = (file: string): string => readFileSync(join(root, file), "utf8");

test.each(mutants)("$file: $name, still changes the file in one place", (mutant) => {
  const source = textOf(mutant.file);
  expect(mutated(source, mutant)).not.toBe(source);
});

test("every mutant has a name of its own and a proof that exists", () => {
  expect(new Set(mutants.map(({ file, name }) => `${file} ${name}`)).size).toBe(mutants.length);
  for (const { proof } of mutants)
    if (proof.kind === "test") expect(textOf(proof.file)).toContain(proof.title);
});
