/**
 * What a run of vitest has done so far, one line of JSON as each thing happens: it is whole up to the moment at which a
 * run is cut. The reporter writes it, the tally reads it; this is its one declaration.
 */
import * as z from "zod";

const state = z.enum(["passed", "failed", "skipped", "pending", "queued"]);

export const Entry = z.discriminatedUnion("kind", [
  /** All files of the run, before the first begins. */
  z.object({ kind: z.literal("run"), files: z.array(z.string()) }),
  /** What a file holds, before its first test begins. */
  z.object({
    kind: z.literal("collected"),
    file: z.string(),
    tests: z.array(z.object({ id: z.string(), name: z.string() })),
  }),
  z.object({ kind: z.literal("test"), id: z.string(), name: z.string(), state }),
  /** A file has ended; `failed` also where no test of it did, as when it did not load or a hook threw. */
  z.object({ kind: z.literal("file"), file: z.string(), state }),
  /** The run has ended by itself; `errors` belong to no test. */
  z.object({ kind: z.literal("end"), errors: z.int() }),
]);
export type Entry = z.infer<typeof Entry>;

/** The environment variable that names the journal's file. */
export const journalVariable = "PORTCULLIS_TEST_JOURNAL";

/** @param text a journal; a last line that was cut off is left out */
export const readJournal = (text: string): readonly Entry[] =>
  text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Entry.parse(JSON.parse(line)));
