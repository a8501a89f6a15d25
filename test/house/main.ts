/**
 * `npm run house [-- --at REVISION]`: the shape of the code in figures, of this checkout or of a commit, as markdown.
 * Tests are left out, but for their folders. Ends with 1 when an arrow between rooms can be walked back.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { readWords } from "#test/support/words.ts";
import {
  arrowsBetween,
  circularArrows,
  countByFolder,
  countWords,
  namedFunctions,
  oneWordShare,
  readSources,
  roomOf,
  spread,
  verbShare,
} from "./measure.ts";

const help = `Usage: npm run house -- [--at REVISION]

Prints files per folder, arrows between rooms and which of them are circular, sizes of files and functions, the share of
names that begin with a verb, and the words of README.md. Ends with 1 when an arrow is circular.

  npm run house
  npm run house -- --at v0.1.0`;

const Manifest = z.object({ imports: z.record(z.string(), z.string()) });

const git = (...argv: readonly string[]): Buffer =>
  execFileSync("git", argv, { maxBuffer: 256 * 1024 * 1024 });

/** Unpacks a commit. @returns its folder, which the caller removes */
function unpack(revision: string): string {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-house-"));
  execFileSync("tar", ["-x", "-C", folder], { input: git("archive", "--format=tar", revision) });
  return folder;
}

const { at } = readWords(help, z.strictObject({ at: z.string().optional() }));
const listed = at === undefined ? git("ls-files") : git("ls-tree", "-r", "--name-only", at);
const root = at === undefined ? process.cwd() : unpack(at);
try {
  const paths = listed.toString("utf8").split("\n");
  const own = paths.filter((path) => path.endsWith(".ts") && !path.startsWith("test/"));
  const sources = readSources(root, own);
  const { imports } = Manifest.parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
  const arrows = arrowsBetween(sources, imports);
  const circular = circularArrows(arrows);
  const functions = sources.flatMap(namedFunctions);
  const share = (value: number): string => `${(value * 100).toFixed(1)} %`;
  const sizes = (values: readonly number[]): string => {
    const { median, p95, max } = spread(values);
    return `${median} / ${p95} / ${max}`;
  };
  const folders = [...countByFolder(sources)];
  const loose = folders.find(([folder]) => folder === "agent")?.[1] ?? 0;
  const rows: readonly (readonly [string, string | number])[] = [
    ["files", sources.length],
    [
      "folders, files in the fullest",
      `${folders.length}, ${Math.max(...folders.map(([, count]) => count))}`,
    ],
    ["loose files in agent/", loose],
    ["rooms, arrows between them", `${new Set(own.map(roomOf)).size}, ${arrows.length}`],
    ["circular arrows", circular.length],
    [
      "lines of a file: median / p95 / most",
      sizes(sources.map(({ text }) => text.split("\n").length)),
    ],
    ["lines of a function: median / p95 / most", sizes(functions.map(({ lines }) => lines))],
    ["functions with a name", functions.length],
    ["names that begin with a verb", share(verbShare(functions))],
    ["names of one word", share(oneWordShare(functions))],
    ["words of README.md", countWords(readFileSync(join(root, "README.md"), "utf8"))],
  ];
  console.log("| figure | value |\n|---|---|");
  for (const [name, value] of rows) console.log(`| ${name} | ${value} |`);
  console.log("\n| folder | files |\n|---|---|");
  for (const [folder, count] of folders) console.log(`| ${folder} | ${count} |`);
  for (const { from, to, imports: count } of circular)
    console.log(`circular: ${from} → ${to} (${count})`);
  process.exitCode = circular.length === 0 ? 0 : 1;
} finally {
  if (at !== undefined) rmSync(root, { recursive: true, force: true });
}
