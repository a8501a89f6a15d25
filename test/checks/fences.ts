/**
 * Fenced blocks of the documents. Each says what language it is in. A block of commands (`sh`) is run by
 * `test/worker/documents.test.ts`, unless the line before it says why not: `<!-- not run: why -->`, or the page names a
 * test of its own: `<!-- run by test/x.test.ts -->`. Run or not, its lines
 * that call `portcullis` or `portcullis-agent` are lines that these programs take, and a program that Node runs is there.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { specs as agentSpecs } from "#agent/commands/specs.ts";
import { findCommand } from "#args/find.ts";
import { UsageError } from "#args/exits.ts";
import { readArgs } from "#args/read.ts";
import type { Spec } from "#args/spec.ts";
import { program } from "#cli/commands/index.ts";
import { documentsOf } from "./documents.ts";

export interface Fence {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** Why it is not run; undefined where it is, empty where no reason is given. */
  readonly notRun: string | undefined;
}

const languages = new Set(["ini", "json", "mermaid", "sh", "text", "toml", "ts", "yaml"]);
const opening = /^( *)```([\w-]*) *$/;
const mark = /<!-- not run:?(.*)-->/;

/** The test that runs all commands of a page, where it has one of its own. */
export const runnerOf = (markdown: string): string | undefined =>
  /^<!-- run by (\S+) -->$/m.exec(markdown)?.[1];

/** All of a document, in order. A block that does not end is a block to the end. */
export function fencesOf(markdown: string): readonly Fence[] {
  const lines = markdown.split("\n");
  const fences: Fence[] = [];
  for (let at = 0; at < lines.length; at++) {
    const [, indent, language] = opening.exec(lines[at] ?? "") ?? [];
    if (indent === undefined || language === undefined) continue;
    const found = lines.findIndex((line, i) => i > at && line.startsWith(`${indent}\`\`\``));
    const end = found < 0 ? lines.length : found;
    const [, why] = mark.exec(lines[at - 1] ?? "") ?? [];
    const text = lines.slice(at + 1, end).map((line) => line.slice(indent.length));
    fences.push({ line: at + 1, language, text: text.join("\n"), notRun: why?.trim() });
    at = end;
  }
  return fences;
}

const programs: Readonly<Record<string, readonly { readonly spec: Spec }[]>> = {
  portcullis: program.commands,
  "portcullis-agent": Object.values(agentSpecs).map((spec) => ({ spec })),
};

export function fenceFindings(root: string): readonly string[] {
  return documentsOf(root).flatMap((document) => {
    const markdown = readFileSync(join(root, document), "utf8");
    const fences = fencesOf(markdown);
    const marks = markdown
      .split("\n")
      .filter((line) => line.trim().startsWith("<!-- not run")).length;
    const used = fences.filter(({ notRun }) => notRun !== undefined).length;
    return [
      ...runnerFaults(document, runnerOf(markdown), root),
      ...(marks === used ? [] : [`${document}: a "not run" stands before no block of commands`]),
      ...fences.flatMap((fence) =>
        faultsOf(fence, root).map((message) => `${document}:${fence.line}: ${message}`),
      ),
    ];
  });
}

/** A page's own test is there, and reads that page. */
function runnerFaults(
  document: string,
  runner: string | undefined,
  root: string,
): readonly string[] {
  if (runner === undefined) return [];
  const path = join(root, runner);
  return existsSync(path) && readFileSync(path, "utf8").includes(document)
    ? []
    : [`${document}: no such test, or one of another page: ${runner}`];
}

/** What is wrong with one block. */
export function faultsOf({ language, text, notRun }: Fence, root: string): readonly string[] {
  if (!languages.has(language))
    return [`expected a block's language: ${[...languages].join(", ")}; found "${language}"`];
  if (notRun === "") return ["expected why it is not run: <!-- not run: why -->"];
  if (language !== "sh")
    return notRun === undefined ? [] : ["only commands (sh) are run or not run"];
  return commandsOf(text).flatMap((words) => commandFaults(words, root));
}

function commandFaults([name = "", ...args]: readonly string[], root: string): readonly string[] {
  if (name === "node") {
    const [file = ""] = args;
    return /\.m?ts$/.test(file) && !existsSync(join(root, file)) ? [`no such file: ${file}`] : [];
  }
  const commands = Object.hasOwn(programs, name) ? programs[name] : undefined;
  if (commands === undefined || args.includes("--help")) return [];
  const found = findCommand(commands, args);
  if (found.kind !== "command") return [`${name} has no command: ${args.join(" ")}`];
  try {
    readArgs(found.command.spec, found.rest);
    return [];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [`${name} ${found.command.spec.name}: ${error.message}`];
  }
}

const word = /"[^"]*"|'[^']*'|[^\s"']+/g;
/** What parts two commands of a line, and what sends their output elsewhere. */
const ends = new Set(["&&", "||", "|", ";", "&"]);
const redirection = /^[0-9]?[<>]/;

/** Commands of a block, word by word, without quotes. As much of a shell's grammar as documents need. */
export function commandsOf(text: string): readonly (readonly string[])[] {
  const commands: string[][] = [];
  for (const line of text.replaceAll("\\\n", " ").split("\n")) {
    let current: string[] = [];
    commands.push(current);
    let skip = false;
    for (const [found] of line.replace(/(^|\s)#.*$/, "").matchAll(word)) {
      if (ends.has(found)) commands.push((current = []));
      else if (redirection.test(found)) skip = /^[0-9]?[<>]+$/.test(found);
      else if (skip) skip = false;
      else current.push(found.replace(/^["'](.*)["']$/, "$1"));
    }
  }
  return commands.filter(({ length }) => length > 0);
}
