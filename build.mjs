#!/usr/bin/env node
/**
 * `npm run build`: the agent and the command line as one executable file each, in `dist/`. They need Node 24 and
 * nothing else. Must not minify names: tuf-js tells its errors apart by class, and people read stack traces.
 */
import { chmodSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));

/** tuf-js is CommonJS and asks for node's modules by `require`, which an ES module does not have. */
const requireBanner =
  'import { createRequire as portcullisRequire } from "node:module"; const require = portcullisRequire(import.meta.url);';

/** How a program becomes one file, whoever writes it. */
export const programOptions = (entry) => ({
  absWorkingDir: root,
  entryPoints: [entry],
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  legalComments: "eof",
  banner: { js: requireBanner },
  logLevel: "warning",
});

/** One program as one executable file. */
export async function buildProgram(entry, out) {
  await build({ ...programOptions(entry), outfile: out });
  chmodSync(out, 0o755);
}

if (import.meta.main) {
  for (const [entry, name] of [
    ["agent/main.ts", "portcullis-agent.mjs"],
    ["cli/main.ts", "portcullis.mjs"],
  ]) {
    const out = fileURLToPath(new URL(`dist/${name}`, import.meta.url));
    await buildProgram(entry, out);
    process.stdout.write(`dist/${name}\n`);
  }
}
