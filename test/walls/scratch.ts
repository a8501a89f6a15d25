/**
 * A copy of the rooms in the temporary folder, with the house's own configuration, where walls may be broken. The
 * repository itself is never touched.
 */
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as z from "zod";
import type { Breach } from "./breaches.ts";

const root = join(import.meta.dirname, "..", "..");
const rooms = ["schema", "core", "tls", "args", "worker", "agent", "cli", "lab"];
const configuration = ["package.json", "tsconfig.json", "oxlint.config.ts"];

export interface Scratch {
  readonly folder: string;
  remove(): void;
}

/** One thing that a tool found: which file, relative to the copy, and its code. */
export interface Finding {
  readonly file: string;
  readonly code: string;
  readonly message: string;
}

export function openScratch(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-walls-"));
  for (const name of [...rooms, ...configuration])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * Writes breaches into the copy, runs a tool over it, and takes them out again. The findings come back by breach, and
 * those about anything else apart.
 */
export function withBreaches(
  scratch: Scratch,
  breaches: readonly Breach[],
  tool: (scratch: Scratch) => readonly Finding[],
): {
  readonly byBreach: ReadonlyMap<Breach, readonly Finding[]>;
  readonly elsewhere: readonly Finding[];
} {
  const files = new Map(breaches.map((breach, index) => [breach, fileOf(breach, index)]));
  const before = new Map(
    [...files]
      .filter(([breach, file]) => breach.at === file)
      .map(([, file]) => [file, read(scratch, file)]),
  );
  try {
    for (const [breach, file] of files) {
      appendFileSync(
        join(scratch.folder, file),
        `\n${breach.lines.replaceAll("wall", `wall${breaches.indexOf(breach)}`)}\n`,
      );
    }
    const found = tool(scratch);
    const breached = new Set(files.values());
    const about = (file: string) => found.filter((finding) => finding.file === file);
    return {
      byBreach: new Map([...files].map(([breach, file]) => [breach, about(file)])),
      elsewhere: found.filter((finding) => !breached.has(finding.file)),
    };
  } finally {
    for (const file of files.values()) rmSync(join(scratch.folder, file), { force: true });
    for (const [file, text] of before) writeFileSync(join(scratch.folder, file), text);
  }
}

const read = (scratch: Scratch, file: string): string =>
  readFileSync(join(scratch.folder, file), "utf8");

/** A breach of a folder is a new file in it; a breach of a file is a line appended to it. */
const fileOf = (breach: Breach, index: number): string =>
  breach.at.endsWith(".ts") ? breach.at : `${breach.at}/breach-${index}.ts`;

const Solution = z.object({ references: z.array(z.object({ path: z.string() })) });

function run(scratch: Scratch, program: string, args: readonly string[]): string {
  const bin = join(root, "node_modules", ".bin");
  const { stdout, stderr, error } = spawnSync(join(bin, program), args, {
    cwd: scratch.folder,
    env: { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}`, NO_COLOR: "1" },
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    timeout: 120_000,
  });
  if (error !== undefined) throw error;
  return stdout === "" ? stderr : stdout;
}

/** `tsc -b` over every room but test, which may import everything and so has no wall to break. */
export function typeFindings(scratch: Scratch): readonly Finding[] {
  const solution = Solution.parse(
    JSON.parse(readFileSync(join(scratch.folder, "tsconfig.json"), "utf8")),
  );
  const projects = solution.references
    .map((reference) => reference.path)
    .filter((path) => path !== "./test");
  const output = run(scratch, "tsc", ["-b", "--pretty", "false", ...projects]);
  return parseTypes(output);
}

/** The same check over one room whose references are built: what `tsc -b` would say of it, in half a second. */
export function roomFindings(scratch: Scratch, room: string): readonly Finding[] {
  return parseTypes(
    run(scratch, "tsc", ["-p", projectOf(scratch, room), "--noEmit", "--pretty", "false"]),
  );
}

/** A folder without a project of its own is in that of the folder above it. */
const projectOf = (scratch: Scratch, folder: string): string =>
  existsSync(join(scratch.folder, folder, "tsconfig.json"))
    ? folder
    : projectOf(scratch, dirname(folder));

function parseTypes(output: string): readonly Finding[] {
  return [...output.matchAll(/^(\S[^(\n]*)\(\d+,\d+\): error (TS\d+): (.*)$/gm)].map((match) => ({
    file: match[1] ?? "",
    code: match[2] ?? "",
    message: match[3] ?? "",
  }));
}

const LintReport = z.object({
  diagnostics: z.array(
    z.object({ filename: z.string(), code: z.string().default(""), message: z.string() }),
  ),
  number_of_files: z.number(),
});

export function lintFindings(scratch: Scratch): readonly Finding[] {
  const report = LintReport.parse(
    JSON.parse(run(scratch, "oxlint", ["--format", "json", ...rooms])),
  );
  if (report.number_of_files === 0) throw new Error("oxlint looked at no file");
  return report.diagnostics.map(({ filename, code, message }) => ({
    file: filename,
    code,
    message,
  }));
}
