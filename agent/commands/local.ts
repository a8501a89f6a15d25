/** Commands that look at this host or act on it without asking the control plane. */
import { existsSync } from "node:fs";
import { emptyInventory, renderClosed, transaction } from "#core/render/index.ts";
import { writeBeginning } from "#agent/cycle/adoption.ts";
import { exitCodes, type Options } from "./args.ts";
import { fallbackOf, keepMark, removeMark } from "#agent/cycle/fallback.ts";
import { loadGuard } from "../guard/index.ts";
import { readIdentity } from "#agent/disk/identity.ts";
import { openKernel } from "#agent/backend/kernel.ts";
import { closeJournal } from "#agent/disk/journal.ts";
import { describeEvent, readEvents } from "../observe/event-log.ts";
import { listUnitWarnings } from "../observe/units.ts";
import { lockHolder } from "#agent/disk/lock.ts";
import { isErrno, makeDirectory, removeDurable, writeDurable } from "#agent/disk/files.ts";
import { fallenFile, holdFile } from "#agent/disk/marks.ts";
import { programOf } from "#agent/cycle/programs.ts";
import { settleOutcome, Refused } from "#agent/machine/refusal.ts";
import { readCommittedSlot, enforcedFile, everCommitted } from "#agent/disk/slots.ts";
import {
  formatStatus,
  readStatus,
  type Status,
  statusFile,
  type StatusReport,
} from "#agent/report/status.ts";
import { controlPlaneOf, readTrustedBundle, nftOf, type Terminal } from "./open.ts";

/** What this host runs, by the last cycle's account. */
export function showStatus(options: Options, terminal: Terminal): number {
  const now = Date.now();
  const found = readStatus(options.stateDir) ?? readStatusBeforeCycle(options, now);
  const running = lockHolder(options.stateDir) !== undefined;
  const events = readEvents(options.stateDir, options.events);
  const units = listUnitWarnings();
  if (options.json) {
    const left =
      found.lease_ends_at === null
        ? null
        : Math.floor((Date.parse(found.lease_ends_at) - now) / 1000);
    const report: StatusReport = {
      ...found,
      lease_left_seconds: left,
      running,
      units: [...units],
      events: [...events],
    };
    terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  } else {
    terminal.out(`${formatStatus(found, running, now)}\n`);
    for (const unit of units) terminal.out(`units     ${unit}\n`);
    for (const event of events) terminal.out(`event     ${describeEvent(event)}\n`);
  }
  return exitCodes.ok;
}

function readStatusBeforeCycle(options: Options, now: number): Status {
  const identity = readIdentity(options.stateDir);
  const at = new Date(now).toISOString();
  const applied = readCommittedSlot(options.stateDir)?.applied;
  return {
    state: identity === undefined ? "unenrolled" : "adopting",
    since: at,
    updated_at: at,
    host: identity?.host ?? "-",
    fleet: identity?.fleet ?? "-",
    url: identity?.url ?? "-",
    applied:
      applied === undefined
        ? null
        : { seq: applied.seq, revision: applied.revision, bundle_sha256: applied.bundle_sha256 },
    counting: null,
    held: null,
    lease_ends_at: null,
    last_refusal: null,
    drift: null,
    foreign_drops: null,
    foreign_redirects: null,
    foreign_unlisted: null,
    flows_uncut: null,
    listening: null,
    expires: [],
  };
}

/** Prints the text of the bundle held, as this host's guard and renderer make it. @throws Refused */
export function print(options: Options, terminal: Terminal): number {
  const guard = loadGuard(options.guard, controlPlaneOf(options));
  terminal.out(transaction(programOf(readTrustedBundle(options), guard), emptyInventory));
  return exitCodes.ok;
}

/**
 * Closes this host, now and until it is lifted: a running agent sees the mark and applies nothing. Needs no identity
 * and no lock, because it must work when nothing else does. @throws Refused
 */
export async function closeHost(options: Options, terminal: Terminal): Promise<number> {
  const mark = holdFile(options.stateDir);
  if (options.lift) {
    if (existsSync(mark)) removeDurable(mark);
    if (!everCommitted(options.stateDir) && !existsSync(fallenFile(options.stateDir)))
      removeMark(fallbackOf(options.guard));
    terminal.out("lifted; the agent returns to the signed ruleset on its next cycle\n");
    return exitCodes.ok;
  }
  // A person's word: it holds even where the guard leaves no way to the control plane.
  const { guard } = loadGuard(options.guard, undefined);
  const marked = await settleOutcome(async () => markClosed(options));
  const loaded = await openKernel(nftOf(options)).load(renderClosed(guard));
  if (!loaded.ok) throw new Refused(loaded.refusal.code, loaded.refusal.message);
  if (!marked.ok)
    throw new Refused(
      marked.refusal.code,
      `closed, but only until the next boot or an agent's next look: ${marked.refusal.message}`,
    );
  const beside = await settleOutcome(async () =>
    keepMark(fallbackOf(options.guard), options.stateDir),
  );
  if (!beside.ok)
    terminal.log(`warning: should the state directory be lost: ${beside.refusal.message}`);
  terminal.out("closed: management and replies come in, nothing else, until 'closed --lift'\n");
  return exitCodes.ok;
}

/** The mark comes before the load, so that a running agent does not repair what a person did. @throws Refused */
function markClosed({ stateDir }: Options): void {
  try {
    makeDirectory(stateDir);
    writeDurable(holdFile(stateDir), "");
  } catch (error) {
    if (isErrno(error))
      throw new Refused("state_unwritable", `${holdFile(stateDir)}: ${error.code}`);
    throw error;
  }
}

/**
 * Removes our table and whatever boot would load one for; refuses while an agent runs, which would bring it back.
 * Identity and trust stay. The slots last: cut off before them, boot loads what was committed and closes nobody.
 */
export async function leave(options: Options, terminal: Terminal): Promise<number> {
  const pid = lockHolder(options.stateDir);
  if (pid !== undefined) {
    terminal.log(`an agent, process ${pid}, is running; stop it first`);
    return exitCodes.failed;
  }
  await nftOf(options).remove();
  removeMark(fallbackOf(options.guard));
  const marks = [holdFile, fallenFile, enforcedFile].map((file) => file(options.stateDir));
  for (const path of [...marks, `${options.stateDir}/slots`, statusFile(options.stateDir)])
    if (existsSync(path)) removeDurable(path);
  closeJournal(options.stateDir);
  writeBeginning(options.stateDir, "count");
  terminal.out("removed table inet portcullis; this host is no longer filtered by it\n");
  return exitCodes.ok;
}
