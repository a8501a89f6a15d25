/**
 * Holds one TCP connection for each argument `address port` and says in lines of JSON (`ConnectionNews`) when each stands.
 * For each line on stdin it asks every connection once: it is `open` when its own question came back, `refused` when it
 * has ended. It never concludes anything from silence. Ends when stdin does.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { ConnectionNews } from "./connections.ts";

const say = (news: ConnectionNews): void => void process.stdout.write(`${JSON.stringify(news)}\n`);

const held = await Promise.all(
  process.argv.slice(2).map(async (target, index) => {
    const [host = "", port = ""] = target.split(" ");
    const socket = connect({ host, port: Number(port) });
    await once(socket, "connect");
    const { localAddress = "", localPort = 0 } = socket;
    const gone = (): void => say({ kind: "heard", target: index, word: "refused" });
    socket.on("error", () => undefined).on("close", gone);
    // The server answers what it is asked, and sends more between.
    socket.on("data", (chunk) => {
      if (chunk.includes("?")) say({ kind: "heard", target: index, word: "open" });
    });
    say({ kind: "sent", target: index, address: localAddress, port: localPort });
    return socket;
  }),
);

function ask(socket: Socket, index: number): void {
  if (socket.destroyed) say({ kind: "heard", target: index, word: "refused" });
  else socket.write("?");
}

say({ kind: "ready" });
for await (const line of createInterface({ input: process.stdin }))
  if (line !== "") held.forEach(ask);
process.exit(0);
