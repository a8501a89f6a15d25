#!/usr/bin/env node
/**
 * `npm run package`: the agent as a Debian package for this machine's architecture, in `dist/`. It brings the very Node
 * that the tests run on, without symbols, and needs none on the host. The same commit makes the same bytes: times are
 * the commit's, owners root's. Takes what is in git and node_modules; never downloads anything.
 *
 *   node package.mjs [--out DIR] [--version V] [--compression xz|zstd]
 *
 * xz makes 27 MB in a minute, zstd 39 MB in a second.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildProgram } from "./build.mjs";

const root = fileURLToPath(new URL(".", import.meta.url));
const here = (...names) => join(root, ...names);
/** A first line takes one option. A small nursery costs an idle agent no CPU, and it keeps 7 MB less. */
const runtime = "/usr/lib/portcullis/node --max-semi-space-size=1";
const architectures = { x64: "amd64", arm64: "arm64" };

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    version: { type: "string" },
    compression: { type: "string" },
  },
});
const { version: declared } = JSON.parse(readFileSync(here("package.json"), "utf8"));
const { out = here("dist"), version = declared, compression = "xz" } = values;
const architecture = architectures[process.arch];
if (architecture === undefined) throw new Error(`no package for ${process.arch}`);

/** Seconds since 1970 of the newest file: those of the commit. */
function epoch() {
  const given = process.env.SOURCE_DATE_EPOCH;
  return (
    given ??
    execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: root, encoding: "utf8" }).trim()
  );
}

/** Copies with a mode of its own, whatever the checkout's umask was. */
function place(tree, source, target, mode) {
  const path = join(tree, target);
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  cpSync(source, path, { dereference: true });
  chmodSync(path, mode);
}

/** What boot runs, its last resort with it, as the agent's own code says it. */
async function bootScript(work) {
  const module = join(work, "scripts.mjs");
  await buildProgram("agent/backend/nft/scripts.ts", module);
  return (await import(module)).restoreScript;
}

async function fill(tree) {
  const node = `node-linux-${process.arch}`;
  place(tree, here("node_modules", node, "bin", "node"), "usr/lib/portcullis/node", 0o755);
  execFileSync("strip", [join(tree, "usr/lib/portcullis/node")]);
  const program = join(tree, "usr/lib/portcullis/portcullis-agent.mjs");
  await buildProgram("agent/main.ts", program);
  writeFileSync(program, readFileSync(program, "utf8").replace(/^#!.*/, `#!${runtime}`));
  mkdirSync(join(tree, "usr/bin"));
  symlinkSync("../lib/portcullis/portcullis-agent.mjs", join(tree, "usr/bin/portcullis-agent"));
  writeFileSync(join(tree, "usr/lib/portcullis/restore.sh"), await bootScript(dirname(tree)), {
    mode: 0o644,
  });
  const units = [
    "portcullis-agent.service",
    "portcullis-boot.service",
    "nftables.service.d/portcullis.conf",
  ];
  for (const unit of units)
    place(tree, here("agent", "units", unit), `usr/lib/systemd/system/${unit}`, 0o644);
  place(tree, here("LICENSE"), "usr/share/doc/portcullis-agent/copyright", 0o644);
  place(
    tree,
    here("node_modules", node, "LICENSE"),
    "usr/share/doc/portcullis-agent/copyright.node",
    0o644,
  );
  mkdirSync(join(tree, "etc/portcullis"), { recursive: true, mode: 0o755 });
  mkdirSync(join(tree, "etc/portcullis/fallback"), { mode: 0o700 });
  mkdirSync(join(tree, "var/lib/portcullis"), { recursive: true });
  chmodSync(join(tree, "var/lib/portcullis"), 0o700);
}

function describe(tree) {
  const size = execFileSync("du", ["-sk", "--apparent-size", tree], { encoding: "utf8" }).split(
    "\t",
  )[0];
  const control = readFileSync(here("agent", "debian", "control"), "utf8")
    .replace("@version@", version)
    .replace("@architecture@", architecture)
    .replace("@installed-size@", size);
  for (const script of ["postinst", "prerm", "postrm"])
    place(tree, here("agent", "debian", script), `DEBIAN/${script}`, 0o755);
  writeFileSync(join(tree, "DEBIAN/control"), control, { mode: 0o644 });
}

process.umask(0o022);
const work = mkdtempSync(join(tmpdir(), "portcullis-package-"));
try {
  const tree = join(work, "tree");
  mkdirSync(tree, { mode: 0o755 });
  await fill(tree);
  describe(tree);
  mkdirSync(out, { recursive: true });
  const file = join(out, `portcullis-agent_${version}_${architecture}.deb`);
  // One thread: how xz cuts its blocks depends on their number.
  const how = ["--root-owner-group", `-Z${compression}`, "--threads-max=1", "--build", tree, file];
  execFileSync("dpkg-deb", how, {
    env: { ...process.env, SOURCE_DATE_EPOCH: epoch() },
    stdio: ["ignore", "ignore", "inherit"],
  });
  process.stdout.write(`${file} ${(statSync(file).size / 1e6).toFixed(1)} MB\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
