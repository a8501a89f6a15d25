/**
 * One TCP connection that stays, from the namespace it runs in. `serve <port>` prints `ready` and sends back what it
 * gets; `connect <address> <port>` prints `ready` once connected, then sends stdin and prints what comes back.
 * Ends when stdin does.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";

const [mode, ...where] = process.argv.slice(2);
if (mode === "serve") {
  const server = createServer((socket) => void socket.pipe(socket));
  server.listen(Number(where[0]), "::");
  await once(server, "listening");
} else {
  const socket = connect({ host: where[0] ?? "", port: Number(where[1]) });
  await once(socket, "connect");
  process.stdin.pipe(socket, { end: false });
  socket.pipe(process.stdout, { end: false });
}
process.stdout.write("ready\n");
process.stdin.resume().on("end", () => process.exit(0));
