/**
 * Runs inside a namespace and does two things there, as lines of JSON on stdin tell it: it listens, answering whoever
 * asks, and it asks others, again and again until it is told to end. It says what it sent and what came back, and never
 * concludes anything from silence. Ends with stdin.
 */
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

export type Ask =
  | { readonly protocol: "ping" }
  | { readonly protocol: "tcp" | "udp"; readonly port: number };

/** From an own address to another's; canonical text. */
export type Question = Ask & { readonly from: string; readonly to: string };

export type Order =
  | {
      readonly kind: "listen";
      readonly addresses: readonly string[];
      readonly asks: readonly Ask[];
    }
  | { readonly kind: "ask"; readonly questions: readonly Question[] }
  | { readonly kind: "end" };

/** A question is named by its index in the order that asked it. */
export type ProberMessage =
  | { readonly kind: "listening" }
  /** A packet of the question goes out from this source port; 0 for ping. Comes again with each new port. */
  | { readonly kind: "sent"; readonly question: number; readonly sourcePort: number }
  | { readonly kind: "answered"; readonly question: number }
  /** The last `ask` is over: nothing more is said of it. */
  | { readonly kind: "ended" }
  /** This prober is broken, which is no verdict. */
  | { readonly kind: "failed"; readonly message: string };

/** Hears what becomes of one question. */
interface Hearing {
  sent(sourcePort: number): void;
  answered(): void;
}
type Close = () => void;

/** Until something came back, something is sent again this often. */
const againMs = 500;
/** Connections of one question that may be under way together. */
const mostAtOnce = 60;
/** So many are started before the loop reads what has come: starting hundreds at once starves those that answer. */
const atOnce = 8;

/** What a refusal, a reject or a lost neighbour looks like here: none of it is an answer, so the question stays. */
const unanswered = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "EACCES",
  "EPERM",
]);

const listening = new Set<string>();
let underWay: Close[] = [];

for await (const line of createInterface({ input: process.stdin })) {
  try {
    await obey(JSON.parse(line) as Order);
  } catch (error) {
    fail(error);
  }
}
process.exit(0);

async function obey(order: Order): Promise<void> {
  switch (order.kind) {
    case "listen":
      for (const address of order.addresses)
        await Promise.all(order.asks.map((asked) => listen(address, asked)));
      return sendMessage({ kind: "listening" });
    case "ask":
      for (const [i, question] of order.questions.entries()) {
        if (i % atOnce === 0) await new Promise(setImmediate);
        underWay.push(ask(question, i));
      }
      return;
    case "end":
      for (const close of underWay) close();
      underWay = [];
      return sendMessage({ kind: "ended" });
  }
}

function sendMessage(said: ProberMessage): void {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

function fail(error: unknown): void {
  sendMessage({ kind: "failed", message: String(error) });
}

async function listen(address: string, asked: Ask): Promise<void> {
  if (asked.protocol === "ping") return; // the kernel answers
  const name = `${address} ${asked.protocol} ${asked.port}`;
  if (listening.has(name)) return;
  listening.add(name);
  if (asked.protocol === "tcp") {
    const server = createServer((socket) => socket.on("error", () => socket.destroy()).end());
    server.listen(asked.port, address);
    await once(server, "listening");
    return;
  }
  const socket = createSocket(familyOf(address));
  socket.on("message", (message, { port, address: from }) =>
    socket.send(message, port, from, ignore),
  );
  socket.bind(asked.port, address);
  await once(socket, "listening");
}

/** Starts one question. @returns what ends it; nothing is said of it afterwards */
function ask(question: Question, index: number): Close {
  const hearing: Hearing = {
    sent: (sourcePort) => sendMessage({ kind: "sent", question: index, sourcePort }),
    answered: () => sendMessage({ kind: "answered", question: index }),
  };
  switch (question.protocol) {
    case "tcp":
      return connectAgain(question.from, question.to, question.port, hearing);
    case "udp":
      return sendAgain(question.from, question.to, question.port, hearing);
    case "ping":
      return pingAgain(question.from, question.to, hearing);
  }
}

/**
 * The kernel sends a lost SYN again only after 1, 3, 7, 15 s (RFC 6298 §5.5), so another connection joins meanwhile.
 * None is given up before one stands: an answer may be slow.
 */
function connectAgain(localAddress: string, host: string, port: number, hearing: Hearing): Close {
  const sockets: Socket[] = [];
  const close = (): void => {
    clearInterval(timer);
    for (const socket of sockets) socket.removeAllListeners().on("error", ignore).destroy();
  };
  const attempt = (): void => {
    const socket: Socket = connect({ host, port, localAddress });
    sockets.push(socket);
    // Bound and not yet sent: the port is known before anybody can have seen the packet.
    socket.on("connectionAttempt", () => hearing.sent(socket.localPort ?? 0));
    socket.on("connect", () => {
      close();
      hearing.answered();
    });
    socket.on("error", (error) => {
      if (!isUnanswered(error)) fail(error);
    });
  };
  const timer = setInterval(() => sockets.length < mostAtOnce && attempt(), againMs);
  attempt();
  return close;
}

function sendAgain(from: string, to: string, port: number, hearing: Hearing): Close {
  const socket = createSocket(familyOf(from));
  // Somebody's ICMP, or no neighbour yet: it is sent again.
  const checkSent = (error: Error | null): void => {
    if (error !== null && !isUnanswered(error)) fail(error);
  };
  const send = (): void => socket.send("portcullis", port, to, checkSent);
  let timer: NodeJS.Timeout | undefined;
  socket.on("error", checkSent);
  socket.once("message", () => {
    clearInterval(timer);
    hearing.answered();
  });
  socket.bind(0, from, () => {
    hearing.sent(socket.address().port);
    send();
    timer = setInterval(send, againMs);
  });
  return () => {
    clearInterval(timer);
    socket.removeAllListeners().on("error", ignore).close();
  };
}

/** Asks each second until one echo came back; when the kernel reports an error, it begins anew. */
function pingAgain(from: string, to: string, hearing: Hearing): Close {
  const args = ["-n", "-q", "-c", "1", "-w", "86400", "-I", from, to];
  let timer: NodeJS.Timeout | undefined;
  let close: Close = ignore;
  const attempt = (): void => {
    const child = spawn("ping", args, { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    child.on("error", fail);
    child.on("close", (code) => {
      if (code === 0) hearing.answered();
      else if (code === 1) timer = setTimeout(attempt, againMs);
      else fail(new Error(`ping from ${from} to ${to}: ${stderr.trim()}`));
    });
    close = () => void child.removeAllListeners("close").kill("SIGKILL");
    hearing.sent(0);
  };
  attempt();
  return () => {
    clearTimeout(timer);
    close();
  };
}

function isUnanswered(error: Error): boolean {
  return "code" in error && typeof error.code === "string" && unanswered.has(error.code);
}

function familyOf(address: string): "udp4" | "udp6" {
  return address.includes(":") ? "udp6" : "udp4";
}

function ignore(): void {}
