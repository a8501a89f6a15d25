/**
 * An agent in a process of its own, which a test starts under a clock of its own: `STATE GUARD NFT`. For each line on
 * stdin it goes through one cycle and prints, as JSON on one line, its state and what it refused.
 */
import { createInterface } from "node:readline";
import { Agent } from "#agent/cycle/agent.ts";
import { parseCommand } from "#agent/commands/args.ts";
import { openParts } from "#agent/commands/open.ts";

const [state = "", guard = "", nft = ""] = process.argv.slice(2);
const command = parseCommand(["once", "--state-dir", state, "--guard", guard, "--nft", nft]);
if (command.kind !== "once") throw new RangeError("expected STATE GUARD NFT");
const logged: string[] = [];
const agent = new Agent(openParts(command.options, (line) => void logged.push(line)));
for await (const _ of createInterface({ input: process.stdin })) {
  const { state: after, refusal } = await agent.runCycle(new AbortController().signal);
  const told = { kind: after.kind, refusal: refusal?.code ?? null, logged: logged.splice(0) };
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
process.exit(0);
