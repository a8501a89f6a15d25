/**
 * docs/lost.md: every loss that it names happens here, and its commands, as they stand there, bring the fleet back. A
 * section without a drill is a failure, and so is a command that no drill runs.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drills } from "./lost/drills.ts";
import { readLosses } from "./lost/document.ts";
import { Machines } from "./lost/machines.ts";
import { holds, settle } from "./lost/fleet.ts";

const { before, sections } = readLosses(
  readFileSync(new URL("../../docs/lost.md", import.meta.url), "utf8"),
);
const folder = mkdtempSync(join(tmpdir(), "portcullis-lost-"));
let whole: Machines;

beforeAll(async () => {
  whole = await Machines.open(join(folder, "whole"), before);
  await settle(whole);
});
afterAll(async () => {
  await whole.close();
  rmSync(folder, { recursive: true, force: true });
});

test("every section of docs/lost.md has a drill, and every drill a section", () => {
  expect(sections.map(({ title }) => title)).toEqual(Object.keys(drills));
});

describe.concurrent("what is lost comes back by the commands of docs/lost.md", () => {
  test.each(sections.map((section, n) => ({ ...section, n })))(
    "$title",
    async ({ title, fences, n }) => {
      const drill = drills[title];
      if (drill === undefined)
        throw new Error(`docs/lost.md, "${title}": no drill in test/attack/lost/drills.ts`);
      const machines = await Machines.open(join(folder, `${n}`), before, whole);
      try {
        const left = [...fences];
        await machines.run("systemctl start portcullis-control; systemctl start portcullis-agent");
        await holds(machines, "192.0.2.12");
        await drill(machines, () => {
          const fence = left.shift();
          if (fence === undefined) throw new Error(`"${title}" has no further commands`);
          return machines.run(fence);
        });
        expect(left).toEqual([]);
      } catch (error) {
        throw new Error(`${String(error)}\n${machines.log("portcullis-agent")}`, { cause: error });
      } finally {
        await machines.close();
      }
    },
  );
});
