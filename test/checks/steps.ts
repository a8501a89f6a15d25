/**
 * The steps of `npm run check`: what must hold before a test is worth running. Each takes seconds and no services.
 * A step either runs a tool or calls a function that returns its findings; both end as the same Outcome.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { readAgentBundle } from "./agent-bundle.ts";
import { documentFindings } from "./documents.ts";
import { edgeFindings } from "./edges.ts";
import { faultFindings } from "./faults.ts";
import { fenceFindings } from "./fences.ts";
import { nameFindings } from "./names.ts";
import { openApiFindings } from "./openapi.ts";
import { referenceFindings } from "./reference.ts";
import { registryFindings } from "./registry.ts";
import { sqlFindings } from "./sql.ts";
import { threatFindings } from "./threats.ts";

const root = join(import.meta.dirname, "..", "..");

export interface Outcome {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** Everything the step had to say; empty when it passed in silence, one line when it measured something. */
  readonly output: string;
}

interface Step {
  readonly name: string;
  readonly run: () => Promise<{ readonly passed: boolean; readonly output: string }>;
}

/** Runs a program of node_modules/.bin; that folder comes first on its PATH, so that it finds Node 24 and its peers. */
function tool(program: string, ...args: readonly string[]): Step["run"] {
  return () =>
    new Promise((resolve) => {
      const bin = join(root, "node_modules", ".bin");
      const child = spawn(join(bin, program), args, {
        cwd: root,
        env: { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}`, NO_COLOR: "1" },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const output: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
      child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
      child.on("error", (error) => resolve({ passed: false, output: error.message }));
      child.on("close", (code) =>
        resolve({ passed: code === 0, output: Buffer.concat(output).toString() }),
      );
    });
}

/** A step that reads files and lists what is wrong with them; nothing to list is a pass. */
function reading(
  findings: (root: string) => readonly string[] | Promise<readonly string[]>,
): Step["run"] {
  return async () => {
    const found = await findings(root);
    return { passed: found.length === 0, output: found.join("\n") };
  };
}

async function weighing(): ReturnType<Step["run"]> {
  const { bytes, foreign } = await readAgentBundle();
  const output = foreign
    .map((path) => `the agent's bundle holds a module of the control plane's: ${path}`)
    .join("\n");
  return {
    passed: foreign.length === 0,
    output: output === "" ? `${Math.round(bytes / 1000)} kB` : output,
  };
}

export const steps: readonly Step[] = [
  { name: "types", run: tool("tsc", "-b", "--pretty", "false") },
  { name: "lint", run: tool("oxlint") },
  { name: "format", run: tool("oxfmt", "--check") },
  { name: "dead code", run: tool("knip", "--no-progress") },
  { name: "documents", run: reading(documentFindings) },
  { name: "commands in documents", run: reading(fenceFindings) },
  { name: "threats", run: reading(threatFindings) },
  { name: "faults", run: reading(faultFindings) },
  { name: "agent's edges", run: reading(edgeFindings) },
  { name: "agent's bundle", run: weighing },
  { name: "openapi", run: reading(openApiFindings) },
  { name: "reference", run: reading(referenceFindings) },
  { name: "SQL", run: reading(sqlFindings) },
  { name: "names", run: reading(nameFindings) },
  { name: "registry", run: reading(registryFindings) },
];

/** Runs one step and times it. Never throws: a step that throws has failed and says so. */
export async function runStep(step: Step): Promise<Outcome> {
  const started = performance.now();
  const { passed, output } = await step.run().catch((error: unknown) => ({
    passed: false,
    output: error instanceof Error ? error.message : String(error),
  }));
  return { name: step.name, passed, output, seconds: (performance.now() - started) / 1000 };
}
