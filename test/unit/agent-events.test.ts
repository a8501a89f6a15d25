/** The event log: bounded, readable after a crash, and never a reason for the agent to fail. */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseCommand, UsageError } from "#agent/commands/args.ts";
import {
  describeEvent,
  eventBytesMax,
  type Happening,
  openEventLog,
  readEvents,
  recordCutOff,
  recordDrift,
} from "#agent/observe/event-log.ts";

let directory: string;
let said: string[];
const record = (happening: Happening, where = directory): void =>
  openEventLog(
    where,
    () => 0,
    (line) => void said.push(line),
  ).record(happening);
const commit = (seq: number): Happening => ({ kind: "commit", seq, revision: 1 });
const file = (): string => join(directory, "events.jsonl");
const seqs = (count: number): unknown[] =>
  readEvents(directory, count).map((event) => ("seq" in event ? event.seq : event.kind));

beforeEach(() => {
  said = [];
  directory = mkdtempSync(join(tmpdir(), "portcullis-events-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("the event log", () => {
  it("keeps one JSON line for each event, private to the agent", () => {
    record(commit(1));
    record({ kind: "state", from: "adopting", to: "steady" });
    expect(readFileSync(file(), "utf8")).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","kind":"commit","seq":1,"revision":1}\n' +
        '{"at":"1970-01-01T00:00:00.000Z","kind":"state","from":"adopting","to":"steady"}\n',
    );
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it("shows the last ones, oldest first, and none where there is no log", () => {
    expect(seqs(5)).toEqual([]);
    for (let seq = 1; seq <= 5; seq += 1) record(commit(seq));
    expect(seqs(2)).toEqual([4, 5]);
    expect(seqs(0)).toEqual([]);
    expect(seqs(9)).toEqual([1, 2, 3, 4, 5]);
  });

  it("never grows beyond two files of a mebibyte, and reads on across them", () => {
    for (let i = 0; i < 3; i += 1) {
      appendFileSync(
        file(),
        `${"x".repeat(eventBytesMax - 2 - (i === 0 ? 0 : statSync(file()).size))}\n`,
      );
      record(commit(i));
    }
    record(commit(3));
    expect(readdirSync(directory).toSorted()).toEqual(["events.1.jsonl", "events.jsonl"]);
    for (const name of readdirSync(directory))
      expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(eventBytesMax);
    expect(seqs(3)).toEqual([1, 2, 3]);
  });

  it("loses no event to a line that a crash tore", () => {
    record(commit(1));
    appendFileSync(file(), '{"at":"1970-01-01T00:0');
    record(commit(2));
    expect(seqs(9)).toEqual([1, 2]);
  });

  it("passes over lines that it does not know", () => {
    appendFileSync(file(), '{"at":"1970-01-01T00:00:00.000Z","kind":"later"}\n\0\0\nnull\n');
    record(commit(2));
    expect(seqs(9)).toEqual([2]);
  });

  it("does not fail the agent where it cannot write, and says so once until it can", () => {
    const missing = join(directory, "missing");
    const log = openEventLog(
      missing,
      () => 0,
      (line) => void said.push(line),
    );
    log.record(commit(1));
    log.record(commit(2));
    expect(said).toEqual(["events not written: ENOENT"]);
    mkdirSync(missing);
    log.record(commit(3));
    rmSync(missing, { recursive: true });
    log.record(commit(4));
    expect(said).toHaveLength(2);
  });
});

it("tells a drift and its repair apart, and who took back an apply that was cut off", () => {
  const log = openEventLog(
    directory,
    () => 0,
    () => undefined,
  );
  const last = { at: "", by: "nft\u001b", changes: ["expected our table, found none"], total: 1 };
  recordDrift(log, { count: 1, contended: false, last: { ...last, repaired: false } });
  recordDrift(log, { count: 2, contended: true, last: { ...last, repaired: true } });
  expect(recordCutOff(log, null)).toBeNull();
  recordCutOff(log, { tried: { seq: 7 }, judged: true });
  const at = "1970-01-01T00:00:00.000Z";
  expect(readEvents(directory, 9).map(describeEvent)).toEqual([
    `${at} drift by nft?: expected our table, found none`,
    `${at} drift by nft?: expected our table, found none; contended`,
    `${at} repair of what changed: 1`,
    `${at} revert seq 7, by the watchdog`,
  ]);
});

it.each(["-1", "1001", "x", "1e2", ""])("refuses --events %j", (count) => {
  expect(() => parseCommand(["status", `--events=${count}`])).toThrow(UsageError);
});
