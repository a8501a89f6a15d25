/**
 * Runs inside a network namespace and prints one JSON line: seconds of an apply as the agent does it, of the first
 * apply with its check, and of `nft -f` on a file with the very text that the apply loaded. In turns, so that a busy
 * machine slows all three; each starts nft by the same function.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { groupsRuleset, mustRender } from "#test/support/rulesets.ts";

const elements = Number(process.argv[2]);
const rounds = 31;

/** Half of the elements are addresses, half classes. One member differs between the two, as when somebody joins. */
function rulesetWith(last: string): Ruleset {
  const count = elements / 2 - 1;
  const members = Array.from({ length: count }, (_, i) => `10.8.${i >> 8}.${i & 255}`);
  return groupsRuleset({ dev: [...members, last] });
}
const rulesets = [rulesetWith("10.8.255.1"), rulesetWith("10.8.255.2")] as const;

const exec = spawnExec();
const agent = openNft(exec);
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

try {
  await agent.apply(mustRender(rulesets[0]));
  const seconds: Record<"apply" | "first" | "floor", number[]> = {
    apply: [],
    first: [],
    floor: [],
  };
  for (let round = 0; round < rounds; round += 1) {
    const ruleset = rulesets[round % 2 === 0 ? 1 : 0];
    const program = mustRender(ruleset);
    const { text } = await agent.apply(program);
    writeFileSync(file, text);
    seconds.floor.push(await timed(raw));
    seconds.apply.push(
      await timed(() => agent.apply(mustRender(rulesets[round % 2 === 0 ? 0 : 1]))),
    );
    seconds.first.push(await timed(() => openNft(exec).apply(mustRender(ruleset))));
    await agent.readback(program);
  }
  process.stdout.write(`${JSON.stringify(seconds)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
