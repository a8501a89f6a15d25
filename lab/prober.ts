/**
 * Runs inside a namespace and does two things there, as lines of JSON on stdin tell it: it listens, answering whoever
 * asks, and it asks others. One line on stdout for each order: null, answers, or an error's message. Ends with stdin.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { run } from "./process.ts";

export type Ask = { readonly protocol: "ping" } | { readonly protocol: "tcp" | "udp"; readonly port: number };

/** From an own address to another's; canonical text. */
export type Question = Ask & { readonly from: string; readonly to: string };

export type Order =
  | { readonly kind: "listen"; readonly addresses: readonly string[]; readonly asks: readonly Ask[] }
  | { readonly kind: "ask"; readonly patienceMs: number; readonly questions: readonly Question[] };

/** A datagram may be lost where a connection would try again, so it is sent again too. */
const sendAgainMs = 500;
const listening = new Set<string>();

for await (const line of createInterface({ input: process.stdin })) {
  const said = await obey(JSON.parse(line) as Order).catch((error: unknown) => String(error));
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
process.exit(0);

async function obey(order: Order): Promise<readonly boolean[] | null> {
  switch (order.kind) {
    case "listen":
      for (const address of order.addresses)
        await Promise.all(order.asks.map((asked) => listen(address, asked)));
      return null;
    case "ask":
      return Promise.all(order.questions.map((question) => answered(question, order.patienceMs)));
  }
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
  socket.on("message", (message, { port, address: from }) => socket.send(message, port, from));
  socket.bind(asked.port, address);
  await once(socket, "listening");
}

function answered(question: Question, patienceMs: number): Promise<boolean> {
  switch (question.protocol) {
    case "tcp":
      return connected(question.from, question.to, question.port, patienceMs);
    case "udp":
      return echoed(question.from, question.to, question.port, patienceMs);
    case "ping":
      return pinged(question.from, question.to, patienceMs);
  }
}

/** Whether a connection stands in time; the kernel sends a second SYN after a second (RFC 6298 §2). */
function connected(localAddress: string, host: string, port: number, patienceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localAddress });
    const timer = setTimeout(() => finish(false), patienceMs);
    const finish = (reached: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reached);
    };
    socket.on("connect", () => finish(true)).on("error", () => finish(false));
  });
}

function echoed(from: string, to: string, port: number, patienceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(familyOf(from));
    const send = (): void => socket.send("portcullis", port, to, () => undefined);
    const again = setInterval(send, sendAgainMs);
    const timer = setTimeout(() => finish(false), patienceMs);
    const finish = (reached: boolean): void => {
      clearTimeout(timer);
      clearInterval(again);
      socket.removeAllListeners().close();
      resolve(reached);
    };
    // An error is somebody's ICMP: it came back, but it is no answer.
    socket.on("message", () => finish(true)).on("error", () => finish(false));
    socket.bind(0, from, send);
  });
}

/** One of two echo requests is enough. @throws Error when ping itself fails: a broken lab is no verdict */
async function pinged(from: string, to: string, patienceMs: number): Promise<boolean> {
  const seconds = String(patienceMs / 2000);
  const args = ["-n", "-q", "-c", "2", "-i", "0.3", "-W", seconds, "-I", from, to];
  const { code, stderr } = await run(["ping", ...args]);
  if (code === 0 || code === 1) return code === 0;
  throw new Error(`ping from ${from} to ${to}: ${stderr.trim()}`);
}

function familyOf(address: string): "udp4" | "udp6" {
  return address.includes(":") ? "udp6" : "udp4";
}
