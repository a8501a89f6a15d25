/**
 * Runs inside a network namespace and prints one JSON line: the peak resident memory of nft, in kilobytes, over an apply
 * of a very large program as the agent does it, and over one transaction of the same program.
 */
import { readFileSync } from "node:fs";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { standaloneText } from "#agent/disk/slots.ts";
import { groupsRuleset, mustRender } from "#test/support/rulesets.ts";

const elements = Number(process.argv[2]);
const sampleMs = 2;

const members = Array.from(
  { length: elements / 2 },
  (_, i) => `10.${8 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
);
const program = mustRender(groupsRuleset({ dev: members }));

const pids: number[] = [];
const exec = spawnExec({ started: (pid) => pids.push(pid) });

/** Zero for a process that is gone. */
function highWater(pid: number): number {
  try {
    return Number(
      /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0,
    );
  } catch {
    return 0; // gone
  }
}

async function peakOf(work: () => Promise<unknown>): Promise<number> {
  let peak = 0;
  const sample = setInterval(() => (peak = Math.max(peak, highWater(pids.at(-1) ?? 0))), sampleMs);
  try {
    await work();
    return peak;
  } finally {
    clearInterval(sample);
  }
}

const agent = openNft(exec);
await agent.apply(mustRender(groupsRuleset({ dev: [] })));
const ours = await peakOf(() => agent.apply(program));
const floor = await peakOf(() => agent.load(standaloneText(program)));
process.stdout.write(`${JSON.stringify({ ours, floor })}\n`);
