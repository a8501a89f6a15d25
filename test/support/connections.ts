/**
 * TCP connections between namespaces, each with a word for what came of it, and no word for silence: `silent` is a
 * connection of which a kernel was seen to drop a packet (`lab/net/drops.ts`), and what is neither answered nor dropped is
 * waited for. Whoever drops must be among the namespaces that are looked into.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { type Flow, openDrops, type Pending, portFlow, settle } from "#lab/net/drops.ts";
import { inNamespace } from "#lab/net/netns.ts";

const target = z.int().nonnegative();
/** What `knock.ts` and `hold.ts` say; a target is the index of its argument. */
const ConnectionNews = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ready") }),
  /** From where its packets go. */
  z.object({ kind: z.literal("sent"), target, address: z.string(), port: z.int().positive() }),
  z.object({ kind: z.literal("heard"), target, word: z.enum(["open", "refused", "unreachable"]) }),
]);
export type ConnectionNews = z.infer<typeof ConnectionNews>;

export type Word = "open" | "refused" | "unreachable" | "silent";

/** @param drop namespaces whose rules may drop. @param idle one in which a device may come and go */
export interface Watched {
  readonly drop: readonly string[];
  readonly idle: string;
}

/** One word for each `address port`; all are knocked at together. */
export async function knockAt(
  { drop, idle }: Watched,
  from: string,
  targets: readonly string[],
): Promise<readonly Word[]> {
  const drops = openDrops(drop, idle);
  await drops.forget();
  const connections = targets.map((text) => new Connection(text));
  const child = openChild(from, "knock.ts", targets, connections);
  try {
    await settle(drops, connections, { assertSound: child.assertSound });
  } finally {
    await child.end();
    await drops.close();
  }
  return connections.map(({ word }) => word ?? "silent");
}

export interface Held {
  /** Asks each connection whether it still stands, in their order. */
  ask(): Promise<readonly ("alive" | "cut")[]>;
  end(): Promise<void>;
}

/** Opens a connection to each `address port` and keeps them. The servers echo (`echo.ts`, `pusher.ts`). */
export async function holdTo(
  { drop, idle }: Watched,
  from: string,
  targets: readonly string[],
): Promise<Held> {
  const connections = targets.map((text) => new Connection(text));
  const child = openChild(from, "hold.ts", targets, connections);
  await child.ready;
  const drops = openDrops(drop, idle);
  /** All of them again, or only those of which a packet was dropped: one may be lost where the connection stands. */
  const askOnce = async (asked: readonly Connection[]): Promise<void> => {
    await drops.forget();
    for (const connection of asked) connection.word = undefined;
    child.write("ask\n");
    await settle(drops, asked, { assertSound: child.assertSound });
  };
  return {
    ask: async () => {
      try {
        await askOnce(connections);
        await askOnce(connections.filter(({ word }) => word === "silent"));
      } finally {
        await drops.close();
      }
      return connections.map(({ word }) => (word === "open" ? "alive" : "cut"));
    },
    end: child.end,
  };
}

class Connection implements Pending {
  readonly text: string;
  readonly flows: Flow[] = [];
  word: Word | undefined;
  #unreachable = false;

  constructor(text: string) {
    this.text = text;
  }

  get known(): boolean {
    return this.word !== undefined;
  }

  hear(news: ConnectionNews): void {
    if (news.kind === "sent") {
      const [address = "", port = ""] = this.text.split(" ");
      this.flows.push(
        portFlow("tcp", news.address, news.port, address, Number(port)),
        portFlow("tcp", address, Number(port), news.address, news.port),
      );
    }
    if (news.kind !== "heard") return;
    // Told by somebody's ICMP, or by this kernel for want of a neighbour: which, the dropped packet tells.
    if (news.word === "unreachable") this.#unreachable = true;
    else this.word ??= news.word;
  }

  markDropped(): void {
    this.word ??= this.#unreachable ? "unreachable" : "silent";
  }
}

interface Child {
  /** It has said that it is ready. */
  readonly ready: Promise<void>;
  readonly write: (text: string) => void;
  readonly assertSound: () => void;
  readonly end: () => Promise<void>;
}

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

function openChild(
  from: string,
  name: string,
  targets: readonly string[],
  connections: readonly Connection[],
): Child {
  const [command = "", ...argv] = inNamespace(from, process.execPath, program(name), ...targets);
  const child: ChildProcess = spawn(command, argv, { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("expected pipes");
  const exited = once(child, "exit");
  const ready = new Promise<void>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`${name} in ${from} ended`)));
    createInterface({ input: stdout }).on("line", (line) => {
      const news = ConnectionNews.parse(JSON.parse(line));
      if (news.kind === "ready") resolve();
      else connections[news.target]?.hear(news);
    });
  });
  ready.catch(() => undefined);
  return {
    ready,
    write: (text) => void stdin.write(text),
    assertSound: () => {
      if (child.exitCode !== null) throw new Error(`${name} in ${from} ended`);
    },
    end: async () => {
      stdin.end();
      await exited;
    },
  };
}
