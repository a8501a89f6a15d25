/**
 * Writes the derived files of every golden, for a person to review as policy: the ruleset and the nft text. It never
 * writes verdicts.txt, and it refuses in CI, where a golden that changed by itself would prove nothing.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { derivedFiles, readGoldens } from "../support/goldens.ts";

if (process.env["CI"] !== undefined) throw new Error("goldens are written by people, not by CI");
for (const golden of readGoldens())
  for (const [file, text] of derivedFiles(golden))
    writeFileSync(join(golden.directory, file), text);
