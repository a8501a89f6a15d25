/**
 * What a version left on disk and on the wire, kept for ever in `test/upgrade/VERSION/`: a control plane's data
 * directory, a host's state directory, and an update and a report as they were sent. Written once, when the version was
 * cut (`node test/upgrade/main.ts`), and never again.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import * as z from "zod";
import { Sha256 } from "#schema/primitives.ts";

/** Milliseconds since the Unix epoch, at which the directories were written; root, operators and leases go by it. */
export const writtenAt = Date.parse("2026-12-01T06:00:00Z");

export const places = (folder: string) => ({
  plane: join(folder, "plane"),
  host: join(folder, "host"),
  update: join(folder, "update.json"),
  report: join(folder, "report.json"),
  facts: join(folder, "facts.json"),
});

/** What whoever wrote the directories said of them. */
export const Facts = z.strictObject({
  host: z.string(),
  revision: z.int(),
  seq: z.int(),
  bundle_sha256: Sha256,
  program_sha256: Sha256,
  root_sha256: Sha256,
});

export const sha256 = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");
