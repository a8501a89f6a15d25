/**
 * Runs inside a network namespace and prints one JSON line: seconds of an apply that sends elements alone, of the whole
 * apply of the same program, and of `nft -f` on a file with the very elements that were sent. One member moves in each
 * round. In turns, so that a busy machine slows all three; each starts nft by the same function.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { Witness } from "#agent/backend/nft/witness.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { groupsRuleset, mustRender } from "#test/support/rulesets.ts";

const elements = Number(process.argv[2]);
const rounds = Number(process.argv[3]);

const members = Array.from(
  { length: elements / 2 - 1 },
  (_, i) => `10.${8 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
);
const mover = "10.7.0.1";
/** Half of the elements are addresses, half classes. */
const rulesets: readonly [Ruleset, Ruleset] = [
  groupsRuleset({ dev: [...members, mover], ops: [] }),
  groupsRuleset({ dev: members, ops: [mover] }),
];

const witness = new Witness();
const exec = spawnExec({
  started: (pid) => {
    witness.noteStarted(pid);
    // Nobody else is in this namespace, and no watch runs beside.
    witness.noteTransaction(pid, true);
  },
});
const agent = openNft(exec, "nft", witness);
const folder = mkdtempSync(join(tmpdir(), "portcullis-bench-"));
const file = join(folder, "floor.nft");

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};
const raw = async (): Promise<void> => {
  const { status, stderr } = await exec(["nft", "-f", file], "");
  if (status !== 0) throw new Error(stderr);
};
const amend = async (ruleset: Ruleset): Promise<string> => {
  const sent = await agent.amend(mustRender(ruleset));
  if (sent === undefined) throw new Error("expected that elements alone are sent");
  return sent.text;
};

try {
  const [here, there] = rulesets;
  const seconds: Record<"amend" | "whole" | "floor", number[]> = {
    amend: [],
    whole: [],
    floor: [],
  };
  await agent.apply(mustRender(here));
  for (let round = 0; round < rounds; round += 1) {
    seconds.whole.push(await timed(() => agent.apply(mustRender(here))));
    let sent = "";
    seconds.amend.push(await timed(async () => (sent = await amend(there))));
    writeFileSync(file, sent);
    await amend(here);
    seconds.floor.push(await timed(raw));
  }
  process.stdout.write(`${JSON.stringify(seconds)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
