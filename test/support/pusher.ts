/**
 * Answers on the TCP ports given, on every address of its namespace: what it is sent, and a tick every 20 ms unasked, as
 * a server does that pushes. Prints `ready`, and ends when stdin does.
 */
import { once } from "node:events";
import { createServer } from "node:net";

for (const port of process.argv.slice(2)) {
  const server = createServer((socket) => {
    const tick = setInterval(() => socket.write("."), 20);
    socket.on("close", () => clearInterval(tick)).on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(Number(port), "::");
  await once(server, "listening");
}
process.stdout.write("ready\n");
process.stdin.resume().on("end", () => process.exit(0));
