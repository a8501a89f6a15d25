/** One prober as the lab sees it: a process in a namespace that takes orders and says what it sent and heard. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { inNamespace } from "./netns.ts";
import { stop } from "#lab/run/process.ts";
import type { Ask, Order, Question, ProberMessage } from "./prober.ts";
import type { LabState } from "./state.ts";

const ProberMessage: z.ZodType<ProberMessage> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("listening") }),
  z.object({ kind: z.literal("sent"), question: z.int(), sourcePort: z.int() }),
  z.object({ kind: z.literal("answered"), question: z.int() }),
  z.object({ kind: z.literal("ended") }),
  z.object({ kind: z.literal("failed"), message: z.string() }),
]);

export interface Prober {
  /** Listens on these, on all addresses of the place; what it listens on already is fine. */
  listen(addresses: readonly string[], asks: readonly Ask[]): Promise<void>;
  /** Starts asking; `onMessage` hears what becomes of each question until `end` has returned. */
  ask(questions: readonly Question[], onMessage: (said: ProberMessage) => void): void;
  end(): Promise<void>;
  /** @throws Error when the prober ended or said that it is broken: then nothing it said is a verdict */
  assertSound(): void;
  close(): Promise<void>;
}

const program = fileURLToPath(new URL("./prober.ts", import.meta.url));

/** @param name for error messages */
export function openProber(
  name: string,
  namespace: string,
  state: LabState,
  env: NodeJS.ProcessEnv,
): Prober {
  const [command = "", ...args] = inNamespace(namespace, process.execPath, program);
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], detached: true, env });
  if (child.pid !== undefined) state.started(child.pid);
  const broken = new AbortController();
  const breakDown = (why: string): void => broken.abort(new Error(`the prober in ${name} ${why}`));
  let hear: (said: ProberMessage) => void = ignore;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const said = ProberMessage.parse(JSON.parse(line));
    if (said.kind === "failed") breakDown(`failed: ${said.message}`);
    else hear(said);
  });
  child.once("exit", () => breakDown("ended"));
  child.stdin.on("error", ignore); // it has ended, which `broken` says
  const order = (given: Order): void => void child.stdin.write(`${JSON.stringify(given)}\n`);
  /** Gives an order and waits for the line that answers it; what is said before goes to whoever listened. */
  const sendOrder = async (given: Order, kind: ProberMessage["kind"]): Promise<void> => {
    broken.signal.throwIfAborted();
    const before = hear;
    await new Promise<void>((resolve, reject) => {
      broken.signal.addEventListener("abort", () => reject(broken.signal.reason as Error), {
        once: true,
      });
      hear = (said) => (said.kind === kind ? resolve() : before(said));
      order(given);
    });
    hear = ignore;
  };
  return {
    listen: (addresses, asks) => sendOrder({ kind: "listen", addresses, asks }, "listening"),
    ask: (questions, onMessage) => {
      hear = onMessage;
      order({ kind: "ask", questions });
    },
    end: () => sendOrder({ kind: "end" }, "ended"),
    assertSound: () => broken.signal.throwIfAborted(),
    close: () => stop(child),
  };
}

function ignore(): void {}
