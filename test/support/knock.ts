/**
 * Connects from the namespace it runs in to each `address port` among its arguments, all at once, until stdin ends, and
 * says in lines of JSON (`ConnectionNews`) what it sent and what came back. It never concludes anything from silence.
 */
import { connect, type Socket } from "node:net";
import type { ConnectionNews } from "./connections.ts";

/** An attempt that ended in an error of the way there, such as no neighbour, is made again. */
const againMs = 500;

const say = (news: ConnectionNews): void => void process.stdout.write(`${JSON.stringify(news)}\n`);

function knock(target: string, index: number): void {
  const [host = "", port = ""] = target.split(" ");
  const socket: Socket = connect({ host, port: Number(port) });
  // Bound by then, and the SYN has gone.
  socket.on("connectionAttempt", () => process.nextTick(() => saySent(socket, index)));
  socket.on("connect", () => {
    say({ kind: "heard", target: index, word: "open" });
    socket.destroy();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    const word = error.code === "ECONNREFUSED" ? "refused" : "unreachable";
    say({ kind: "heard", target: index, word });
    if (word === "unreachable") setTimeout(() => knock(target, index), againMs);
  });
}

function saySent({ localAddress, localPort }: Socket, target: number): void {
  // A socket that has failed at once sent nothing.
  if (localAddress !== undefined && localPort !== undefined)
    say({ kind: "sent", target, address: localAddress, port: localPort });
}

for (const [index, target] of process.argv.slice(2).entries()) knock(target, index);
process.stdin.resume().on("end", () => process.exit(0));
