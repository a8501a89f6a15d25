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

const programs = [
  { entry: "agent/main.ts", out: "dist/portcullis-agent.mjs" },
  { entry: "cli/main.ts", out: "dist/portcullis.mjs" },
];

for (const { entry, out } of programs) {
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: out,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    legalComments: "eof",
    banner: { js: requireBanner },
    logLevel: "warning",
  });
  chmodSync(new URL(out, import.meta.url), 0o755);
  process.stdout.write(`${out}\n`);
}
