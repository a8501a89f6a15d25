/**
 * Knocks at `ADDRESS PORT` from the namespace it runs in for as long as it is told to: `start` and `stop` on stdin.
 * After `stop` nothing more is sent, which it says in a line. What becomes of the knocks the host's kernel counts.
 */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

const [host = "", port = ""] = process.argv.slice(2);
const everyMs = 20;

let pulse: NodeJS.Timeout | undefined;
const pending = new Set<Socket>();

function knock(): void {
  const socket = connect({ host, port: Number(port) });
  pending.add(socket);
  socket.on("connect", () => socket.destroy());
  socket.on("error", () => undefined).on("close", () => pending.delete(socket));
}

for await (const line of createInterface({ input: process.stdin })) {
  clearInterval(pulse);
  if (line === "start") pulse = setInterval(knock, everyMs);
  else {
    for (const socket of pending) socket.destroy();
    process.stdout.write("stopped\n");
  }
}
