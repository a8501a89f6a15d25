/**
 * Knocks at `ADDRESS PORT` from the namespace it runs in for as long as it is told to: `start` and `stop` on stdin.
 * After `stop` it prints how many knocks were answered and how many were not, as JSON on one line.
 */
import { connect } from "node:net";
import { createInterface } from "node:readline";

const [host = "", port = ""] = process.argv.slice(2);
const everyMs = 20;
/** No answer for this long is none: on a machine at work a handshake takes milliseconds. */
const patienceMs = 1_000;

let answered = 0;
let silent = 0;
let pulse: NodeJS.Timeout | undefined;
const pending = new Set<Promise<void>>();

function knock(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    const timer = setTimeout(() => finish("silent"), patienceMs);
    const finish = (word: "answered" | "silent"): void => {
      clearTimeout(timer);
      socket.destroy();
      if (word === "answered") answered += 1;
      else silent += 1;
      resolve();
    };
    socket.on("connect", () => finish("answered"));
    // A refusal is an answer: the packet reached the host's own stack.
    socket.on("error", () => finish("answered"));
  });
}

function begin(): void {
  const one = knock();
  pending.add(one);
  void one.then(() => pending.delete(one));
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "start") {
    [answered, silent] = [0, 0];
    pulse = setInterval(begin, everyMs);
  } else {
    clearInterval(pulse);
    await Promise.all(pending);
    process.stdout.write(`${JSON.stringify({ answered, silent })}\n`);
  }
}
