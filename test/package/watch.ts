/** Somebody who knocks at a host's ports for as long as something happens to it, from a namespace of its own. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { inNamespace } from "#lab/netns.ts";

const count = z.int().nonnegative();
const Answers = z.object({ open: count, refused: count, unreachable: count, silent: count });
export type Answers = z.infer<typeof Answers>;
export type Answer = keyof Answers;

const program = fileURLToPath(new URL("./knocks.ts", import.meta.url));

/** @returns the answers of each `address port`, over all the time that `work` took */
export async function whileKnocking(
  namespace: string,
  targets: readonly string[],
  work: () => Promise<void>,
): Promise<ReadonlyMap<string, Answers>> {
  const [command = "", ...argv] = inNamespace(namespace, process.execPath, program, ...targets);
  const child = spawn(command, argv, { stdio: ["pipe", "pipe", "inherit"] });
  const said = text(child.stdout);
  try {
    await work();
  } finally {
    child.stdin.end();
  }
  const counts = z.record(z.string(), Answers).parse(JSON.parse(await said));
  return new Map(Object.entries(counts));
}
