/** Somebody who knocks at a host's ports for as long as something happens to it, from a namespace of its own. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { waitUntil } from "#lab/run/process.ts";
import { inNamespace } from "#lab/net/netns.ts";

const count = z.int().nonnegative();
const Answers = z.object({ open: count, refused: count, unreachable: count, silent: count });
export type Answers = z.infer<typeof Answers>;
export type Answer = keyof Answers;
/** What `knocks.ts` says so far, by target. */
const Said = z.record(z.string(), Answers);

const program = fileURLToPath(new URL("./knocks.ts", import.meta.url));

const none: Answers = { open: 0, refused: 0, unreachable: 0, silent: 0 };

/** The answers of some targets together. */
export const sumOf = (answers: ReadonlyMap<string, Answers>, targets: readonly string[]): Answers =>
  targets
    .map((target) => answers.get(target) ?? none)
    .reduce((a, b) => ({
      open: a.open + b.open,
      refused: a.refused + b.refused,
      unreachable: a.unreachable + b.unreachable,
      silent: a.silent + b.silent,
    }));

export interface Watch {
  /** Waits until each of these was open at least once since the knocking began. */
  opened(targets: readonly string[]): Promise<void>;
  /** The answers so far. */
  soFar(): ReadonlyMap<string, Answers>;
}

/** @returns the answers of each `address port`, over all the time that `work` took */
export async function whileKnocking(
  namespace: string,
  targets: readonly string[],
  work: (watch: Watch) => Promise<void>,
): Promise<ReadonlyMap<string, Answers>> {
  const [command = "", ...argv] = inNamespace(namespace, process.execPath, program, ...targets);
  const child = spawn(command, argv, { stdio: ["pipe", "pipe", "inherit"] });
  let said: z.infer<typeof Said> = {};
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => (said = Said.parse(JSON.parse(line))));
  const ended = new Promise((resolve) => lines.on("close", resolve));
  try {
    await work({
      opened: async (wanted) => {
        await waitUntil(`${wanted.join(", ")} to open`, () =>
          wanted.every((target) => (said[target]?.open ?? 0) > 0) ? true : undefined,
        );
      },
      soFar: () => new Map(Object.entries(said)),
    });
  } finally {
    child.stdin.end();
    await ended;
  }
  return new Map(Object.entries(said));
}
