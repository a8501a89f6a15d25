/**
 * Runs inside a network namespace, beside as many elements of somebody else's as it is told: answers each line on stdin
 * with the seconds that one half-minute check of the agent's takes. Every check looks at tables of others too, as it
 * does where nobody listens for changes; that is the dearer case.
 */
import { createInterface } from "node:readline";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec, spawnFollow } from "#agent/process/spawn.ts";
import { Witness } from "#agent/backend/nft/witness.ts";
import { openKernel } from "#agent/backend/kernel.ts";
import { DriftLog } from "#agent/observe/drift-log.ts";
import { Patrol } from "#agent/observe/patrol.ts";
import { must } from "#lab/run/process.ts";
import { groupsRuleset, mustRender } from "#test/support/rulesets.ts";

const theirs = Number(process.argv[2]);
const ours = Number(process.argv[3]);

const dotted = (net: number, i: number): string =>
  `${net}.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
const program = mustRender(
  groupsRuleset({ dev: Array.from({ length: ours }, (_, i) => dotted(10, i)) }),
);
const witness = new Witness();
const kernel = openKernel(openNft(spawnExec(), "nft", witness));
const patrol = new Patrol({
  kernel,
  follow: spawnFollow(),
  nft: "nft",
  witness,
  log: new DriftLog(),
  intended: () => program,
  mode: () => "repair",
  now: Date.now,
  tell: () => {
    throw new Error("expected no drift");
  },
});

const head =
  "table ip theirs {\n\tset many {\n\t\ttype ipv4_addr\n\t}\n\tchain input {\n\t\ttype filter hook input priority 0; policy accept;\n\t\tip saddr @many drop\n\t}\n}\n";
const perLine = 500;
const elements = Array.from({ length: theirs / perLine }, (_, line) => {
  const some = Array.from({ length: perLine }, (__, i) => dotted(100, line * perLine + i));
  return `add element ip theirs many { ${some.join(", ")} }\n`;
}).join("");

async function timed(): Promise<number> {
  const start = performance.now();
  if ((await patrol.check()) !== undefined) throw new Error("expected no drift");
  return (performance.now() - start) / 1000;
}

const loaded = await kernel.load(program);
if (!loaded.ok) throw new Error(loaded.refusal.message);
await must(["nft", "-f", "-"], { input: `${head}${elements}`, timeoutMs: 120_000 });
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin }))
  if (line === "check") process.stdout.write(`${await timed()}\n`);
