/**
 * The agent's check of its own table every half minute, beside half a million elements that somebody else keeps, as a
 * ratio to the same check without them; with few members of ours and with many. Two namespaces take turns, so that a
 * busy machine slows both.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { lowerQuartileMs, type Row } from "./apply.ts";

const program = fileURLToPath(new URL("./check-rounds.ts", import.meta.url));
const foreign = 500_000;
const rounds = 40;

export async function bench(): Promise<readonly Row[]> {
  return [await checkRow(100), await checkRow(10_000)];
}

async function checkRow(members: number): Promise<Row> {
  const prefix = newPrefix();
  const names = [makeNamespaceName(prefix, "beside"), makeNamespaceName(prefix, "alone")] as const;
  await makeNamespaces(names);
  try {
    const [beside, alone] = await Promise.all([
      open(names[0], foreign, members),
      open(names[1], 0, members),
    ]);
    const seconds: readonly [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      seconds[0].push(await beside.check());
      seconds[1].push(await alone.check());
    }
    await Promise.all([beside.end(), alone.end()]);
    const [value, floor] = [lowerQuartileMs(seconds[0]), lowerQuartileMs(seconds[1])];
    const name = `check of ${members} beside 500,000 of others, ms`;
    return { name, value, floor, ratio: value / floor, goal: 1.2 };
  } finally {
    await removeNamespaces(names);
  }
}

interface Checker {
  /** Seconds of one check. */
  readonly check: () => Promise<number>;
  readonly end: () => Promise<void>;
}

async function open(namespace: string, theirs: number, ours: number): Promise<Checker> {
  const [command = "", ...argv] = inNamespace(
    namespace,
    process.execPath,
    program,
    `${theirs}`,
    `${ours}`,
  );
  const child = spawn(command, argv, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, "exit").then(() => {
    throw new Error("a checker ended early");
  });
  ended.catch(() => undefined);
  const next = async (): Promise<string> =>
    String((await Promise.race([once(lines, "line"), ended]))[0]);
  await next();
  return {
    check: async () => {
      child.stdin.write("check\n");
      return Number(await next());
    },
    end: async () => {
      child.stdin.end();
      await ended.catch(() => undefined);
    },
  };
}
