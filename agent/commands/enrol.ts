/** `join`: enrols this host once. The token is read from a file or standard input and is never printed. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Sha256 } from "#schema/primitives.ts";
import { renderClosed } from "#core/render/index.ts";
import { admitFirst, type Beginning, processNames, writeBeginning } from "#agent/cycle/adoption.ts";
import { exitCodes, type Options, UsageError } from "./args.ts";
import { fallbackOf, keepClosed, keepMark } from "#agent/cycle/fallback.ts";
import { loadGuard, readSurroundings, proposeGuard } from "../guard/index.ts";
import { readIdentity } from "#agent/disk/identity.ts";
import { join } from "#agent/cycle/join.ts";
import { openKernel } from "#agent/backend/kernel.ts";
import { listUnitWarnings } from "../observe/units.ts";
import { isErrno, makeDirectory } from "#agent/disk/files.ts";
import { mark } from "#agent/disk/marks.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { parseEndpoint } from "../transport/endpoint.ts";
import { defaultLimits } from "../transport/request.ts";
import { nftOf, requireEnvironment, type Terminal } from "./open.ts";

/** @throws UsageError, Refused */
export async function enrol(options: Options, terminal: Terminal): Promise<number> {
  if (options.proposeGuard) {
    terminal.out(proposeGuardText());
    return exitCodes.ok;
  }
  const { url, rootSha256 } = options;
  if (url === undefined) throw new UsageError("expected the control plane's URL; see --help");
  if (rootSha256 === undefined)
    throw new UsageError("expected --root-sha256: without it anybody could answer");
  if (!Sha256.safeParse(rootSha256).success)
    throw new UsageError("expected --root-sha256 in lower-case hex");
  requireEnvironment(parseEndpoint(url).url);
  if (options.writeGuard) writeGuard(options.guard, terminal);
  if (readIdentity(options.stateDir) !== undefined)
    throw new Refused(
      "state_invalid",
      "this host has joined already; to join again, stop the agent and remove its state: its rules stay until new ones take their place",
    );
  const token = (await readToken(options, terminal)).trim();
  if (!/^[\x21-\x7e]{1,200}$/.test(token))
    throw new UsageError("expected a token of printable characters");
  const ca = options.ca === undefined ? null : readFileSync(options.ca, "utf8");
  // Before anything is asked of the network, and so that no crash leaves an identity that begins otherwise.
  if (options.closedFirst) await closeFirst(options);
  makeDirectory(options.stateDir);
  const beginning = await beginningOf(options);
  writeBeginning(options.stateDir, beginning);
  const enrolment = await join(
    { directory: options.stateDir, url, rootSha256, token, ca },
    defaultLimits,
  );
  prepareFallback(options, terminal);
  for (const warning of listUnitWarnings()) terminal.log(`warning: ${warning}`);
  terminal.out(`joined fleet ${enrolment.fleet} as host ${enrolment.host}\n`);
  if (beginning === "count")
    terminal.log(
      "nothing is cut until 'adopt --yes'; 'adopt' lists what the first bundle would cut",
    );
  return exitCodes.ok;
}

/**
 * A host that lost its state and still filters goes on: counting would load rules that let everybody in.
 * @throws Refused where that cannot be told
 */
async function beginningOf(options: Options): Promise<Beginning> {
  if (options.enforce || options.closedFirst) return "enforce";
  const enforces = await openKernel(nftOf(options)).enforces();
  if (enforces === undefined)
    throw new Refused(
      "state_invalid",
      "nft lists no tables, so whether this host enforces rules already is not known: run as root with nft installed, or say --enforce",
    );
  return enforces ? "enforce" : "count";
}

/** Closed from now on, over restarts and reboots too, until the first bundle is committed. @throws Refused */
async function closeFirst(options: Options): Promise<void> {
  const guard = loadGuard(options.guard, options.url);
  admitFirst(guard, processNames());
  for (const folder of [options.stateDir, fallbackOf(options.guard)])
    keepClosed(folder, guard.guard);
  mark(options.stateDir, "fallen");
  keepMark(fallbackOf(options.guard), options.stateDir);
  const loaded = await openKernel(nftOf(options)).load(renderClosed(guard.guard));
  if (!loaded.ok) throw new Refused(loaded.refusal.code, loaded.refusal.message);
}

/** @throws Refused `guard_invalid` */
function proposeGuardText(): string {
  const proposed = proposeGuard(readSurroundings(process.env));
  if (proposed === undefined)
    throw new Refused(
      "guard_invalid",
      "no sshd or no ssh session to propose a guard from: write one by hand",
    );
  return proposed;
}

/** A guard that is there is a person's decision and stays. */
function writeGuard(path: string, { log }: Terminal): void {
  const text = proposeGuardText();
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
    log(`wrote ${path}`);
  } catch (error) {
    if (!isErrno(error) || error.code !== "EEXIST") throw error;
    log(`${path} is there already and stays as it is`);
  }
}

/** What boot loads before there is a bundle. Without a guard nothing is enforced either, so that may follow. */
function prepareFallback({ guard, stateDir, url }: Options, { log }: Terminal): void {
  try {
    const loaded = loadGuard(guard, url);
    for (const folder of [stateDir, fallbackOf(guard)]) keepClosed(folder, loaded.guard);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    log(`warning: ${error.message}; nothing is enforced until it is there`);
  }
}

async function readToken(options: Options, terminal: Terminal): Promise<string> {
  if (options.token !== undefined) {
    terminal.log(
      "warning: other users of this host can read a token given as an argument; prefer --token-file",
    );
    return options.token;
  }
  const { tokenFile } = options;
  return tokenFile === undefined || tokenFile === "-"
    ? terminal.stdin()
    : readFileSync(tokenFile, "utf8");
}
