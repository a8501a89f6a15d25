/**
 * What happened on this host, for whoever looks at it later: `events.jsonl` in the state directory, one JSON object a
 * line, at most two files of 1 MiB. Evidence for people; the agent decides nothing by it and never fails over it, so a
 * line that cannot be written is told once and lost. One writer: whoever holds the agent's lock.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { refusalCodes } from "#schema/refusals.ts";
import { AgentState, Drift } from "#schema/wire.ts";
import { isErrno, readOptional } from "#agent/disk/files.ts";
import { printable } from "#agent/machine/refusal.ts";

const at = z.iso.datetime();
export const LoggedEvent = z.discriminatedUnion("kind", [
  z.strictObject({ at, kind: z.literal("state"), from: AgentState, to: AgentState }),
  z.strictObject({ at, kind: z.literal("commit"), seq: z.int(), revision: z.int() }),
  /** Why stands in the refusal before it, unless a crash came between. */
  z.strictObject({
    at,
    kind: z.literal("revert"),
    seq: z.int(),
    by: z.enum(["agent", "watchdog", "restart"]),
  }),
  /** The first of several equal ones in a row. */
  z.strictObject({
    at,
    kind: z.literal("refusal"),
    code: z.enum(refusalCodes),
    message: z.string(),
  }),
  z.strictObject({
    at,
    kind: z.literal("drift"),
    ...Drift.shape.last.pick({ by: true, changes: true, total: true }).shape,
    contended: z.boolean(),
  }),
  z.strictObject({ at, kind: z.literal("repair"), total: z.int() }),
  /** After a commit: flows that lost their grant may go on. */
  z.strictObject({ at, kind: z.literal("uncut"), why: z.string() }),
]);
export type LoggedEvent = z.infer<typeof LoggedEvent>;

type Undated<T> = T extends unknown ? Omit<T, "at"> : never;
export type Happening = Undated<LoggedEvent>;

export interface EventLog {
  readonly record: (happening: Happening) => void;
}

export const eventBytesMax = 1 << 20;
const fileOf = (directory: string): string => join(directory, "events.jsonl");
const oldFileOf = (directory: string): string => join(directory, "events.1.jsonl");

/** @param now milliseconds since the Unix epoch. @param log told when writing begins to fail, and not again until it works */
export function openEventLog(
  directory: string,
  now: () => number,
  log: (line: string) => void,
): EventLog {
  let failing = false;
  return {
    record(happening) {
      try {
        append(
          directory,
          `${JSON.stringify({ at: new Date(now()).toISOString(), ...happening })}\n`,
        );
        failing = false;
      } catch (error) {
        if (!isErrno(error)) throw error;
        if (!failing) log(`events not written: ${error.code}`);
        failing = true;
      }
    },
  };
}

const appending = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

/** Survives power loss when it returns. A line that a crash tore is ended first, so that it costs no other. */
function append(directory: string, line: string): void {
  const bytes = Buffer.from(line);
  const file = openSync(fileOf(directory), appending, 0o600);
  try {
    const { size } = fstatSync(file);
    if (size === 0 || size + bytes.length < eventBytesMax) {
      write(file, endsWell(file, size) ? bytes : Buffer.concat([Buffer.from("\n"), bytes]));
      return;
    }
  } finally {
    closeSync(file);
  }
  renameSync(fileOf(directory), oldFileOf(directory));
  append(directory, line);
}

function endsWell(file: number, size: number): boolean {
  const last = Buffer.alloc(1);
  return size === 0 || (readSync(file, last, 0, 1, size - 1) === 1 && last.toString() === "\n");
}

function write(file: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) written += writeSync(file, bytes, written);
  fdatasyncSync(file);
}

/** The last `count`, oldest first; lines that cannot be read are left out. @throws what the file system says */
export function readEvents(directory: string, count: number): readonly LoggedEvent[] {
  const found: LoggedEvent[] = [];
  for (const path of [fileOf(directory), oldFileOf(directory)]) {
    const lines = readOptional(path)?.toString("utf8").split("\n") ?? [];
    for (let i = lines.length - 1; i >= 0 && found.length < count; i -= 1) {
      const event = parseLine(lines[i] ?? "");
      if (event !== undefined) found.push(event);
    }
  }
  return found.toReversed();
}

function parseLine(line: string): LoggedEvent | undefined {
  try {
    return LoggedEvent.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined; // torn
  }
}

/** An apply that a crash cut off is taken back: by the watchdog then, or by the agent now. @returns what was given */
export function recordCutOff<T extends CutOff | null>(events: EventLog, cut: T): T {
  if (cut !== null)
    events.record({ kind: "revert", seq: cut.tried.seq, by: cut.judged ? "watchdog" : "restart" });
  return cut;
}

interface CutOff {
  readonly tried: { readonly seq: number };
  readonly judged: boolean;
}

/** What is kept of one drift: what was found, and that it was put right. */
export function recordDrift(events: EventLog, { contended, last }: Drift): void {
  const { by, changes, total, repaired } = last;
  events.record({ kind: "drift", by, changes, total, contended });
  if (repaired) events.record({ kind: "repair", total });
}

/** One line for people. */
export const describeEvent = (event: LoggedEvent): string =>
  printable(`${event.at} ${event.kind} ${detailOf(event)}`);

function detailOf(event: LoggedEvent): string {
  switch (event.kind) {
    case "state":
      return `${event.to}, from ${event.from}`;
    case "commit":
      return `seq ${event.seq}, revision ${event.revision}`;
    case "revert":
      return `seq ${event.seq}, by the ${event.by === "restart" ? "agent after a restart" : event.by}`;
    case "refusal":
      return `${event.code}: ${event.message}`;
    case "drift": {
      const who = event.by === null ? "" : `by ${event.by}: `;
      const more = event.total > 1 ? ` and ${event.total - 1} more` : "";
      return `${who}${event.changes[0] ?? "changed"}${more}${event.contended ? "; contended" : ""}`;
    }
    case "repair":
      return `of what changed: ${event.total}`;
    case "uncut":
      return `flows that lost their grant may go on: ${event.why}`;
  }
}
