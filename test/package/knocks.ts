/**
 * Knocks at every `address port` among its arguments, again and again, from the namespace it runs in, until stdin
 * ends. It prints JSON lines, the last when all is answered: for each target how often it was open, refused, unreachable
 * or silent so far. A connection counts as open; an error of this machine's own, such as no answer to ARP, does not.
 */
import { connect } from "node:net";
import type { Answer, Answers } from "./watch.ts";

const everyMs = 150;
/** A virtual machine without hardware support takes tens of milliseconds for a handshake. */
const patienceMs = 2_000;

const counts: Record<string, Answers> = {};
const pending = new Set<Promise<void>>();

function knock(target: string): Promise<void> {
  const [host = "", port = ""] = target.split(" ");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    const timer = setTimeout(() => finish("silent"), patienceMs);
    const finish = (answer: Answer): void => {
      clearTimeout(timer);
      socket.destroy();
      const counted = (counts[target] ??= { open: 0, refused: 0, unreachable: 0, silent: 0 });
      counts[target] = { ...counted, [answer]: counted[answer] + 1 };
      resolve();
    };
    socket.on("connect", () => finish("open"));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      finish(error.code === "ECONNREFUSED" ? "refused" : "unreachable"),
    );
  });
}

const tell = (): void => void process.stdout.write(`${JSON.stringify(counts)}\n`);
const pulse = setInterval(() => {
  tell();
  for (const target of process.argv.slice(2)) {
    const one = knock(target);
    pending.add(one);
    void one.then(() => pending.delete(one));
  }
}, everyMs);
process.stdin.resume().on("end", () => {
  clearInterval(pulse);
  void Promise.all(pending).then(tell);
});
