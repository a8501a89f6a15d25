/**
 * Brings what the next npm script needs to a fresh machine, and nothing twice: npm packages from the lock (Node 24
 * among them) and, where root, Debian packages for the tools in `tools`. Runs on the machine's own Node (>= 18), before
 * node_modules exists; so plain JavaScript, only node: modules.
 *
 *   node bootstrap.mjs start | test | check | package
 *
 * `test` needs every tool; `start` only warns, because the control plane runs without them; `check` needs none.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const modules = join(root, "node_modules");
const stampFile = join(modules, ".portcullis-stamp");

/** A command that proves a Debian package is there, and what it is for. Sorted by package. */
const tools = [
  { binary: "strip", package: "binutils", neededBy: ["test", "package"] },
  { binary: "busybox", package: "busybox-static", neededBy: ["test"] },
  { binary: "conntrack", package: "conntrack", neededBy: ["test"] },
  { binary: "cpio", package: "cpio", neededBy: ["test"] },
  { binary: "mke2fs", package: "e2fsprogs", neededBy: ["test"] },
  { binary: "faketime", package: "faketime", neededBy: ["test"] },
  { binary: "ip", package: "iproute2", neededBy: ["start", "test"] },
  { binary: "ping", package: "iputils-ping", neededBy: ["start", "test"] },
  { binary: "modprobe", package: "kmod", neededBy: ["test"] },
  { binary: "mmdebstrap", package: "mmdebstrap", neededBy: ["test"] },
  { binary: "nft", package: "nftables", neededBy: ["start", "test"] },
  { binary: "openssl", package: "openssl", neededBy: ["start", "test"] },
  { binary: "sysctl", package: "procps", neededBy: ["start", "test"] },
  { binary: "qemu-system-x86_64", package: "qemu-system-x86", neededBy: ["test"] },
  { binary: "systemd-nspawn", package: "systemd-container", neededBy: ["test"] },
];

const say = (line) => process.stdout.write(`bootstrap: ${line}\n`);

function fail(line) {
  process.stderr.write(`bootstrap: ${line}\n`);
  process.exit(1);
}

/** Full path of a command. Debian keeps nft and ip in sbin, which is not on everybody's PATH. */
function find(binary, wanted = () => true) {
  const folders = [
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin",
    "/sbin",
    "/usr/bin",
    "/bin",
  ];
  for (const folder of folders) {
    const path = join(folder, binary);
    try {
      accessSync(path, constants.X_OK);
      if (wanted(path)) return path;
    } catch {
      // Not in this folder; the next one may have it.
    }
  }
  return undefined;
}

const outside = (path) => !realpathSync(path).startsWith(modules + sep);

/** A Node that `npm ci` does not delete under its own feet: npm_node_execpath names the one that npm itself runs on. */
function machineNode() {
  for (const path of [process.env.npm_node_execpath, process.execPath]) {
    if (path !== undefined && existsSync(path) && outside(path)) return path;
  }
  return find("node", outside) ?? fail("no Node outside node_modules to run npm with");
}

/** Changes when, and only when, `npm ci` would install something else: the lock, what may run scripts, the platform. */
function wantedStamp() {
  const { allowScripts, overrides } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const hash = createHash("sha256");
  hash.update(readFileSync(join(root, "package-lock.json")));
  hash.update(JSON.stringify([allowScripts, overrides, process.platform, process.arch]));
  return hash.digest("hex");
}

function installed() {
  return existsSync(stampFile) && readFileSync(stampFile, "utf8").trim() === wantedStamp();
}

/** Runs a command, says how far it is every few seconds, and shows its output only when it fails. */
function run(title, command, args, env, progress) {
  return new Promise((resolve) => {
    const started = Date.now();
    const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`;
    say(title);
    const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    const output = [];
    child.stdout.on("data", (chunk) => output.push(chunk));
    child.stderr.on("data", (chunk) => output.push(chunk));
    const beat = setInterval(() => say(`  … ${seconds()}${progress()}`), 3000);
    const end = (code, reason) => {
      clearInterval(beat);
      if (code === 0) say(`  done in ${seconds()}`);
      else
        process.stderr.write(
          `${Buffer.concat(output).toString()}\nbootstrap: ${title}: ${reason}\n`,
        );
      resolve(code === 0);
    };
    child.on("error", (error) => end(1, error.message));
    child.on("close", (code, signal) => end(code ?? 1, signal ?? `exit code ${code}`));
  });
}

async function installNpmPackages() {
  if (installed()) return;
  const node = machineNode();
  const cli = process.env.npm_execpath;
  const npm =
    cli?.endsWith(".js") && outside(cli)
      ? [node, cli]
      : [find("npm", outside) ?? fail("no npm on this machine")];
  const paths = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.endsWith(join("node_modules", ".bin")));
  const env = { ...process.env, PATH: paths.join(delimiter), NODE: node, npm_node_execpath: node };
  const count = () => `, ${existsSync(modules) ? readdirSync(modules).length : 0} packages on disk`;
  if (!(await run("installing npm packages (npm ci)", npm[0], [...npm.slice(1), "ci"], env, count)))
    process.exit(1);
  writeFileSync(stampFile, `${wantedStamp()}\n`);
}

/** Node 24 out of node_modules/.bin, which npm puts first on the PATH of every script. */
function assertNode() {
  const local = join(modules, ".bin", "node");
  const node = existsSync(local) ? local : (find("node") ?? process.execPath);
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout?.trim() ?? "nothing";
  if (!(Number(/^v(\d+)\./.exec(version)?.[1]) >= 24))
    fail(`Node 24 or later is needed; ${node} says ${version}`);
}

/** True when the missing tools were installed, or none was missing. */
async function installDebianPackages(missing) {
  if (process.getuid?.() !== 0 || find("apt-get") === undefined) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const quiet = () => "";
  const wait = ["-o", "DPkg::Lock::Timeout=300"];
  const install = [
    "install",
    "-y",
    "--no-install-recommends",
    ...wait,
    ...missing.map((tool) => tool.package),
  ];
  // An update that fails (one mirror down) is no reason to stop: the lists on disk may do.
  await run(
    "refreshing Debian's package lists (apt-get update)",
    "apt-get",
    ["update", ...wait],
    env,
    quiet,
  );
  const names = missing.map((tool) => tool.package).join(" ");
  return run(`installing Debian packages: ${names}`, "apt-get", install, env, quiet);
}

async function ensureTools(mode) {
  const lacking = () =>
    tools.filter((tool) => tool.neededBy.includes(mode) && find(tool.binary) === undefined);
  const missing = lacking();
  if (missing.length === 0 || (await installDebianPackages(missing))) {
    if (lacking().length === 0) return;
  }
  const names = lacking().map((tool) => `${tool.binary} (package ${tool.package})`);
  const message = `missing, and could not be installed (root and apt-get are needed): ${names.join(", ")}`;
  if (mode === "start") process.stderr.write(`bootstrap: ${message}; starting without them\n`);
  else fail(message);
}

/**
 * `npm start` beside `npm test` must not both install. The kernel's lock on this folder is let go however the holder
 * dies; a machine without flock(1) goes on unlocked.
 */
function underLock(mode) {
  const flock = find("flock");
  if (flock === undefined) return;
  const again = [root, machineNode(), fileURLToPath(import.meta.url), mode, "--locked"];
  const busy = 75;
  const first = spawnSync(flock, ["-n", "-E", String(busy), ...again], { stdio: "inherit" });
  if (first.status !== busy) process.exit(first.status ?? 1);
  say("waiting for another bootstrap of this folder");
  process.exit(spawnSync(flock, again, { stdio: "inherit" }).status ?? 1);
}

const [mode = "check", locked] = process.argv.slice(2);
if (!["start", "test", "check", "package"].includes(mode))
  fail(`expected start, test, check or package, got ${mode}`);
const ready = () =>
  installed() && tools.every((tool) => !tool.neededBy.includes(mode) || find(tool.binary));
if (!ready()) {
  if (locked === undefined) underLock(mode);
  await installNpmPackages();
  assertNode();
  await ensureTools(mode);
}
