/**
 * What the documents cite exists: paths of this repository in backticks and in links, npm scripts, and the files that
 * those scripts run. A document that names a file which is gone teaches the wrong thing.
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";

/** Every page that people read, by path: those of the root, then all of docs/. */
export const documentsOf = (root: string): readonly string[] => [
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "DESIGN.md",
  "README.md",
  "SECURITY.md",
  "THREATS.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => `docs/${path}`)
    .toSorted(),
];

const Package = z.object({ scripts: z.record(z.string(), z.string()) });

/** Paths of the repository in backticks: below one of its folders, or a file of its root by extension. Sorted, unique. */
export function citedPaths(markdown: string, folders: ReadonlySet<string>): readonly string[] {
  const cited = [...markdown.matchAll(/`([^`\s]+)`/g)].map((match) => match[1] ?? "");
  const inFolder = cited.filter(
    (text) => /^[\w.-]+\/[\w./-]*$/.test(text) && folders.has(text.split("/")[0] ?? ""),
  );
  const inRoot = cited.filter((text) => /^[\w-]+\.(md|mjs|toml)$/.test(text));
  return [...new Set([...inFolder, ...inRoot])].toSorted();
}

/** Targets of `[text](target)` that lie in this repository, without what follows `#`. Sorted, unique. */
export function linkedPaths(markdown: string): readonly string[] {
  const targets = [...markdown.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
  const local = targets.filter((target) => !/^(https?:|#)/.test(target));
  return [...new Set(local.map((target) => target.replace(/#.*$/, "")))].toSorted();
}

/** Names of npm scripts in `npm run x`, and `start` and `test` in their short form. Sorted, unique. */
export function citedScripts(markdown: string): readonly string[] {
  const named = [...markdown.matchAll(/\bnpm run ([\w:-]+)/g)].map((match) => match[1] ?? "");
  const short = [...markdown.matchAll(/\bnpm (start|test)\b/g)].map((match) => match[1] ?? "");
  return [...new Set([...named, ...short])].toSorted();
}

/** The README is one page: what does not fit belongs into docs/. */
const readmeWordsMax = 900;

export function documentFindings(root: string): readonly string[] {
  const { scripts } = Package.parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
  const entries = readdirSync(root, { withFileTypes: true });
  const ignored = new Set(["node_modules", ".git", ".types", ".wrangler", ".portcullis", "dist"]);
  const folders = new Set(
    entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name),
  );
  const cited = new Set([...folders, ".ci"].filter((name) => !ignored.has(name)));
  const found: string[] = [];
  const words = readFileSync(join(root, "README.md"), "utf8").split(/\s+/).filter(Boolean).length;
  if (words > readmeWordsMax)
    found.push(`README.md: ${words} words, ${readmeWordsMax} at most: say it in docs/`);
  for (const document of documentsOf(root)) {
    const markdown = readFileSync(join(root, document), "utf8");
    for (const path of citedPaths(markdown, cited)) {
      if (!existsSync(join(root, path))) found.push(`${document}: no such path: ${path}`);
    }
    for (const path of linkedPaths(markdown)) {
      if (!existsSync(join(root, dirname(document), path)))
        found.push(`${document}: a link to nothing: ${path}`);
    }
    for (const script of citedScripts(markdown)) {
      if (!(script in scripts)) found.push(`${document}: no such script: npm run ${script}`);
    }
  }
  for (const [name, command] of Object.entries(scripts)) {
    // A shell remembers where it found `node`, and before the bootstrap that was the machine's own.
    if (/&& (?:exec )?node /.test(command))
      found.push(`npm run ${name}: expected node_modules/.bin/node behind the bootstrap`);
    for (const [, program = ""] of command.matchAll(/\bnode (\S+)/g)) {
      if (!existsSync(join(root, program))) found.push(`npm run ${name}: no such file: ${program}`);
    }
  }
  return found;
}
