/** One mutant tried: the tree copied, one text in it changed, and the proof run there. The tree itself is never touched. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import * as z from "zod";
import { run } from "#lab/run/process.ts";
import type { Mutant, Proof } from "./mutants.ts";

export const root = join(import.meta.dirname, "..", "..");

/** Far above what any proof takes; a proof that takes longer has shown nothing. */
const limitMs = 240_000;

export interface Outcome {
  /** What went red: titles of tests, or the readings that differ. Empty: nothing did, and the mutant lives. */
  readonly red: readonly string[];
  /** Why the proof ended without a verdict, such as a mutant that does not even load; undefined: it has one. */
  readonly fault: string | undefined;
}

/** @throws RangeError unless the text stands there exactly once */
export function mutated(source: string, { name, file, from, to }: Mutant): string {
  const found = source.split(from).length - 1;
  if (found !== 1)
    throw new RangeError(`${name}: expected its text once in ${file}, found it ${found} times`);
  return source.replace(from, () => to);
}

/** @param mutant undefined: nothing is changed */
export async function tryProof(proof: Proof, mutant?: Mutant): Promise<Outcome> {
  const copy = mkdtempSync(join(tmpdir(), "portcullis-mutant-"));
  try {
    const left = new Set(["node_modules", "dist"]);
    const isSource = (path: string): boolean =>
      path === root || !(left.has(basename(path)) || basename(path).startsWith("."));
    cpSync(root, copy, { recursive: true, filter: isSource });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    if (mutant !== undefined) {
      const path = join(copy, mutant.file);
      writeFileSync(path, mutated(readFileSync(path, "utf8"), mutant));
    }
    return await (proof.kind === "test"
      ? runTest(copy, proof)
      : runDifferential(copy, proof.packets));
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const Report = z.object({
  testResults: z.array(
    z.object({
      message: z.string(),
      assertionResults: z.array(z.object({ title: z.string(), status: z.string() })),
    }),
  ),
});

async function runTest(
  copy: string,
  { file, title }: Extract<Proof, { readonly kind: "test" }>,
): Promise<Outcome> {
  const written = join(copy, "report.json");
  const vitest = join(copy, "node_modules", "vitest", "vitest.mjs");
  const literal = title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const wanted = ["--project", "unit", file, "--testNamePattern", literal];
  const { code, stderr } = await inCopy(copy, [
    vitest,
    "run",
    ...wanted,
    "--reporter=json",
    `--outputFile=${written}`,
  ]);
  const report = Report.safeParse(jsonOf(written));
  if (!report.success)
    return { red: [], fault: lastLine(stderr) ?? `vitest ended with ${code ?? "a signal"}` };
  const results = report.data.testResults;
  const ran = results.flatMap(({ assertionResults }) => assertionResults);
  const red = ran.filter(({ status }) => status === "failed").map((test) => test.title);
  if (!ran.some(({ status }) => status === "failed" || status === "passed"))
    return {
      red,
      fault: results.map(({ message }) => message).join(" ") || `no such test: ${title}`,
    };
  return { red, fault: undefined };
}

async function runDifferential(copy: string, packets: number): Promise<Outcome> {
  const main = join(copy, "test", "differential", "main.ts");
  const { code, stdout, stderr } = await inCopy(copy, [
    main,
    "--packets",
    String(packets),
    "--seed",
    "1",
  ]);
  if (code === 0) return { red: [], fault: undefined };
  const between = [...stdout.matchAll(/"between":"([a-z ]+)"/g)].flatMap(
    ([, which]) => which ?? [],
  );
  const red = [...new Set(between)];
  return {
    red,
    fault: red.length > 0 ? undefined : (lastLine(stderr) ?? `ended with ${code ?? "a signal"}`),
  };
}

const inCopy = (copy: string, words: readonly string[]) =>
  run([process.execPath, ...words], {
    cwd: copy,
    env: { ...process.env, NO_COLOR: "1", CI: "1" },
    timeoutMs: limitMs,
  });

const jsonOf = (file: string): unknown =>
  existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;

const lastLine = (text: string): string | undefined =>
  text
    .trim()
    .split("\n")
    .findLast((line) => line !== "");
